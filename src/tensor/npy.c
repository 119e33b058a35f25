// The .npy format: a Python dictionary in ASCII, then the elements.
#include "tensor/npy.h"

#include <string.h>

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

// Descriptions of elements without their byte order. Written for a dtype: the first entry with it. The types
// that numpy lacks go as raw bytes of their carrier, as ml_dtypes writes them.
static const struct {
    const char *code;
    oq_dtype dtype;
} descriptions[] = {
    {"f4", ONNXQ_FLOAT},     {"f8", ONNXQ_DOUBLE},      {"f2", ONNXQ_FLOAT16},  {"i1", ONNXQ_INT8},
    {"i2", ONNXQ_INT16},     {"i4", ONNXQ_INT32},       {"i8", ONNXQ_INT64},    {"u1", ONNXQ_UINT8},
    {"u2", ONNXQ_UINT16},    {"u4", ONNXQ_UINT32},      {"u8", ONNXQ_UINT64},   {"b1", ONNXQ_BOOL},
    {"c8", ONNXQ_COMPLEX64}, {"c16", ONNXQ_COMPLEX128}, {"V2", ONNXQ_BFLOAT16},
};

// A cursor over the header's dictionary.
typedef struct header_text {
    const char *at, *end;
    const char *name; // of the file, for errors
} header_text;

static oq_status damaged(const header_text *text, const char *what, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_DATA, "'%s' is not a valid .npy file: %s", text->name, what);
}

static void skip_blanks(header_text *text) {
    while (text->at < text->end && strchr(" \t\n", *text->at) && *text->at) text->at++;
}

// Whether the next character (behind blanks) is `c`; takes it then.
static bool take(header_text *text, char c) {
    skip_blanks(text);
    if (text->at >= text->end || *text->at != c) return false;
    text->at++;
    return true;
}

// A quoted string without escapes into `buffer`.
static bool take_string(header_text *text, char *buffer, size_t size) {
    skip_blanks(text);
    if (text->at >= text->end || (*text->at != '\'' && *text->at != '"')) return false;
    const char quote = *text->at++;
    size_t length = 0;
    while (text->at < text->end && *text->at != quote) {
        if (length + 1 >= size || *text->at == '\\') return false;
        buffer[length++] = *text->at++;
    }
    buffer[length] = '\0';
    return take(text, quote);
}

static bool take_word(header_text *text, const char *word) {
    skip_blanks(text);
    const size_t length = strlen(word);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0) return false;
    text->at += length;
    return true;
}

static bool take_size(header_text *text, int64_t *out) {
    skip_blanks(text);
    const char *begin = text->at;
    int64_t value = 0;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
        if (!oq_mul_i64(value, 10, &value) || !oq_add_i64(value, *text->at - '0', &value)) return false;
        text->at++;
    }
    if (text->at == begin) return false;
    if (text->at < text->end && *text->at == 'L') text->at++; // written by Python 2
    *out = value;
    return true;
}

static oq_status take_shape(header_text *text, oq_shape *shape, oq_error *err) {
    *shape = (oq_shape){0};
    if (!take(text, '(')) return damaged(text, "its shape is not a tuple", err);
    while (!take(text, ')')) {
        int64_t size = 0;
        if (!take_size(text, &size)) return damaged(text, "its shape holds something that is no size", err);
        if (shape->rank == OQ_MAX_RANK)
            return oq_fail(err, ONNXQ_BAD_DATA, "'%s' has more than %d dimensions", text->name, OQ_MAX_RANK);
        shape->dim[shape->rank++] = size;
        if (!take(text, ',')) {
            if (!take(text, ')')) return damaged(text, "its shape is not a tuple", err);
            break;
        }
    }
    return ONNXQ_OK;
}

// "<f4" and the like to dtype and byte order.
static oq_status read_description(const header_text *text, const char *descr, oq_npy_header *out,
                                  oq_error *err) {
    const bool has_order = descr[0] && strchr("<>=|", descr[0]);
    const char *code = has_order ? descr + 1 : descr;
    out->swapped = descr[0] == '>';
    if (code[0] == 'O')
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "'%s' holds Python objects; save it as an array of numbers (astype) instead",
                       text->name);
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; i++) {
        if (strcmp(descriptions[i].code, code) != 0) continue;
        out->dtype = descriptions[i].dtype;
        return ONNXQ_OK;
    }
    return oq_fail(err, ONNXQ_BAD_DATA,
                   "'%s' holds elements of numpy type '%s', which no tensor has; convert it with astype",
                   text->name, descr);
}

static oq_status read_dictionary(header_text *text, oq_npy_header *out, oq_error *err) {
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    if (!take(text, '{')) return damaged(text, "its header is no dictionary", err);
    while (!take(text, '}')) {
        char key[32];
        if (!take_string(text, key, sizeof key) || !take(text, ':'))
            return damaged(text, "its header is no dictionary of names", err);
        if (strcmp(key, "descr") == 0 && !has_descr) {
            char descr[32];
            skip_blanks(text);
            if (text->at < text->end && *text->at == '[')
                return oq_fail(err, ONNXQ_BAD_DATA, "'%s' holds records; save each field as its own array",
                               text->name);
            if (!take_string(text, descr, sizeof descr))
                return damaged(text, "its element type is no name", err);
            OQ_TRY(read_description(text, descr, out, err));
            has_descr = true;
        } else if (strcmp(key, "fortran_order") == 0 && !has_order) {
            out->fortran = take_word(text, "True");
            if (!out->fortran && !take_word(text, "False"))
                return damaged(text, "its fortran_order is neither True nor False", err);
            has_order = true;
        } else if (strcmp(key, "shape") == 0 && !has_shape) {
            OQ_TRY(take_shape(text, &out->shape, err));
            has_shape = true;
        } else {
            return damaged(text, "its header has unknown or repeated entries", err);
        }
        if (!take(text, ',') && !(text->at < text->end && *text->at == '}'))
            return damaged(text, "its header is no dictionary", err);
    }
    if (!has_descr || !has_order || !has_shape)
        return damaged(text, "its header lacks descr, fortran_order or shape", err);
    return ONNXQ_OK;
}

oq_status oq_npy_parse_header(const uint8_t *bytes, size_t count, const char *name, oq_npy_header *out,
                              oq_error *err) {
    *out = (oq_npy_header){0};
    header_text text = {.name = name};
    if (count < 10 || memcmp(bytes, magic, sizeof magic) != 0)
        return damaged(&text, "it does not begin as one", err);
    const unsigned major = bytes[6];
    if (major < 1 || major > 3 || bytes[7] != 0)
        return oq_fail(err, ONNXQ_BAD_DATA, "'%s' is a .npy file of unknown version %u.%u", name, major,
                       bytes[7]);
    size_t begin = 10;
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (major > 1) {
        if (count < 12) return damaged(&text, "it ends inside its header", err);
        begin = 12;
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    }
    if (length > count - begin) return damaged(&text, "it ends inside its header", err);
    text.at = (const char *)bytes + begin;
    text.end = text.at + length;
    OQ_TRY(read_dictionary(&text, out, err));
    out->data_offset = begin + length;
    const oq_status status = oq_shape_check(&out->shape, oq_dtype_bytes(out->dtype), NULL, err);
    if (status != ONNXQ_OK) {
        oq_error_prefix(err, "'%s': ", name);
        if (err && err->status == ONNXQ_BAD_MODEL) err->status = ONNXQ_BAD_DATA;
        return ONNXQ_BAD_DATA;
    }
    return ONNXQ_OK;
}

// Reverses the bytes of each of `count` units of `size` bytes.
static void swap_bytes(uint8_t *bytes, size_t count, size_t size) {
    for (size_t i = 0; i < count; i++, bytes += size)
        for (size_t k = 0; k < size / 2; k++) {
            const uint8_t low = bytes[k];
            bytes[k] = bytes[size - 1 - k];
            bytes[size - 1 - k] = low;
        }
}

// Column-major elements to row-major: walks the target in order, the source by strides.
static void from_fortran(const uint8_t *source, uint8_t *target, const oq_shape *shape, size_t element) {
    int64_t strides[OQ_MAX_RANK]; // in bytes, of the source
    int64_t stride = (int64_t)element;
    for (int i = 0; i < shape->rank; i++) {
        strides[i] = stride;
        stride *= shape->dim[i];
    }
    int64_t index[OQ_MAX_RANK] = {0};
    const int64_t count = oq_shape_count(shape);
    int64_t offset = 0;
    for (int64_t i = 0; i < count; i++) {
        memcpy(target + (size_t)i * element, source + offset, element);
        for (int axis = shape->rank - 1; axis >= 0; axis--) {
            offset += strides[axis];
            if (++index[axis] < shape->dim[axis]) break;
            offset -= strides[axis] * shape->dim[axis];
            index[axis] = 0;
        }
    }
}

void oq_npy_finish(const oq_npy_header *header, uint8_t *elements, size_t count) {
    // The two parts of a complex number are swapped each for itself.
    const bool is_complex = header->dtype == ONNXQ_COMPLEX64 || header->dtype == ONNXQ_COMPLEX128;
    const size_t parts = is_complex ? 2 : 1;
    if (header->swapped) swap_bytes(elements, count * parts, oq_dtype_bytes(header->dtype) / parts);
    // Bytes that are no truth values would break what kernels take for granted.
    if (header->dtype == ONNXQ_BOOL)
        for (size_t i = 0; i < count; i++) elements[i] = elements[i] != 0;
}

void oq_npy_decode(const oq_npy_header *header, const uint8_t *bytes, uint8_t *into) {
    const size_t element = oq_dtype_bytes(header->dtype);
    const size_t count = (size_t)oq_shape_count(&header->shape);
    if (!count) return;
    if (header->fortran && header->shape.rank > 1)
        from_fortran(bytes, into, &header->shape, element);
    else if (into != bytes)
        memcpy(into, bytes, count * element);
    oq_npy_finish(header, into, count);
}

oq_status oq_npy_parse(oq_mem *mem, const uint8_t *bytes, size_t count, const char *name, oq_tensor *out,
                       oq_error *err) {
    *out = (oq_tensor){0};
    oq_npy_header header;
    OQ_TRY(oq_npy_parse_header(bytes, count, name, &header, err));
    size_t need = 0;
    OQ_TRY(oq_shape_check(&header.shape, oq_dtype_bytes(header.dtype), &need, err));
    if (count - header.data_offset < need)
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "'%s' ends too early: its header promises %zu bytes of elements, %zu are there", name,
                       need, count - header.data_offset);
    OQ_TRY(oq_tensor_new(mem, header.dtype, &header.shape, out, err));
    oq_npy_decode(&header, bytes + header.data_offset, out->data);
    return ONNXQ_OK;
}

static const char *description_of(oq_dtype dtype) {
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; i++)
        if (descriptions[i].dtype == dtype) return descriptions[i].code;
    if (oq_dtype_bytes(dtype) != 1) return NULL;
    return oq_dtype_info(dtype)->is_integer && oq_dtype_info(dtype)->is_signed ? "i1" : "u1";
}

oq_status oq_npy_format_header(oq_dtype dtype, const oq_shape *shape, oq_text *into, oq_error *err) {
    const char *code = description_of(dtype);
    if (!code)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "a tensor of type %s cannot be written as .npy",
                       oq_dtype_info(dtype)->name);
    oq_text dictionary;
    oq_text_init(&dictionary, into->mem);
    const char order = code[0] == 'V' || oq_dtype_bytes(dtype) == 1 ? '|' : '<';
    oq_text_printf(&dictionary, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order, code);
    for (int i = 0; i < shape->rank; i++)
        oq_text_printf(&dictionary, i ? ", %lld" : "%lld", (long long)shape->dim[i]);
    oq_text_add(&dictionary, shape->rank == 1 ? ",), }" : "), }");
    // The header with its ten bytes in front fills units of 64 bytes and ends in a line feed.
    while ((10 + dictionary.length + 1) % 64 && !dictionary.failed) oq_text_add(&dictionary, " ");
    oq_text_add(&dictionary, "\n");
    const uint8_t front[4] = {1, 0, (uint8_t)(dictionary.length & 255), (uint8_t)(dictionary.length >> 8)};
    oq_text_add_bytes(into, magic, sizeof magic);
    oq_text_add_bytes(into, front, sizeof front);
    oq_text_add_bytes(into, oq_text_get(&dictionary), dictionary.length);
    const bool failed = dictionary.failed || into->failed;
    oq_text_release(&dictionary);
    return failed ? oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for the header of an array") : ONNXQ_OK;
}

oq_status oq_npy_format(const oq_tensor *tensor, oq_text *into, oq_error *err) {
    OQ_TRY(oq_npy_format_header(tensor->dtype, &tensor->shape, into, err));
    oq_text_add_bytes(into, tensor->data, oq_tensor_bytes(tensor));
    return into->failed ? oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for an array of %zu bytes",
                                  oq_tensor_bytes(tensor))
                        : ONNXQ_OK;
}
