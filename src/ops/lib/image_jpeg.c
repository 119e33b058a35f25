// JPEG (ITU-T T.81): sequential images of 8 bits with Huffman coding.
#include "ops/lib/image_jpeg.h"

#include <string.h>

enum { MOST_COMPONENTS = 3, TABLES = 4, SIDE = 8 };

// Symbols in the order of their codes, which count up within a length.
typedef struct huffman {
    unsigned count[17]; // codes of each length
    uint8_t symbol[256];
} huffman;

typedef struct component {
    unsigned id, across, down, quantizer; // samples of an MCU in each direction; the table
    unsigned dc, ac;
    size_t blocks_across, blocks_down; // that hold pixels of the image
    oq_jpeg_plane plane;
    int16_t predicted; // the DC value of the block before
    bool scanned;
} component;

typedef struct jpeg {
    oq_image_bytes b;
    size_t height, width, mcus_across, mcus_down, restart;
    unsigned most_across, most_down;
    component components[MOST_COMPONENTS];
    size_t count;
    uint16_t quantizer[TABLES][64]; // in the order of the file (zigzag)
    huffman table[2][TABLES];       // DC, AC
    bool is_rgb;                    // an Adobe marker says so
    unsigned bits, bit_count;       // read but not used yet
    const char *unsupported;
} jpeg;

static const uint8_t zigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                                   12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                                   35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                                   58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// --- bits ---

// A 0xff of the data is followed by 0; anything else behind it is a marker, where the data end.
static unsigned next_bit(jpeg *j) {
    if (!j->bit_count) {
        const uint8_t *byte = oq_image_take(&j->b, 1);
        const uint8_t *stuffed = byte && *byte == 0xff ? oq_image_take(&j->b, 1) : NULL;
        if (!byte || (*byte == 0xff && (!stuffed || *stuffed))) {
            j->b.bad = true;
            return 0;
        }
        j->bits = *byte;
        j->bit_count = 8;
    }
    return j->bits >> --j->bit_count & 1;
}

// A number of `size` bits: those that begin with 0 are negative.
static int next_number(jpeg *j, unsigned size) {
    unsigned value = 0;
    for (unsigned i = 0; i < size; i++) value = value << 1 | next_bit(j);
    return size && value < 1U << (size - 1) ? (int)value - (1 << size) + 1 : (int)value;
}

static unsigned next_symbol(jpeg *j, const huffman *table) {
    unsigned code = 0, first = 0, index = 0;
    for (size_t length = 1; length <= 16; length++) {
        code = code << 1 | next_bit(j);
        if (code - first < table->count[length]) return table->symbol[index + code - first];
        index += table->count[length];
        first = (first + table->count[length]) << 1;
    }
    j->b.bad = true;
    return 0;
}

// --- blocks ---

static void read_block(jpeg *j, component *c, size_t row, size_t column) {
    const uint16_t *quantizer = j->quantizer[c->quantizer];
    int64_t values[64] = {0};
    const unsigned size = next_symbol(j, &j->table[0][c->dc]);
    if (size > 15) j->b.bad = true;
    c->predicted = (int16_t)(c->predicted + next_number(j, size & 15));
    values[0] = (int64_t)c->predicted * quantizer[0];
    for (unsigned k = 1; k < 64 && !j->b.bad; k++) {
        const unsigned symbol = next_symbol(j, &j->table[1][c->ac]), bits = symbol & 15;
        if (!bits && symbol != 0xf0) break; // the rest is 0
        k += symbol >> 4;
        if (k > 63) j->b.bad = true;
        if (bits && k < 64) values[zigzag[k]] = (int64_t)next_number(j, bits) * quantizer[k];
    }
    oq_jpeg_inverse(values, c->plane.samples + SIDE * (row * c->plane.stride + column), c->plane.stride);
}

static void begin_interval(jpeg *j) {
    j->bit_count = 0;
    for (size_t i = 0; i < j->count; i++) j->components[i].predicted = 0;
}

// Behind so many MCUs the coder begins anew, after a marker RST0..RST7.
static void pass_restart(jpeg *j, size_t mcu) {
    if (!mcu || !j->restart || mcu % j->restart) return;
    const uint8_t *marker = oq_image_take(&j->b, 2);
    if (!marker || marker[0] != 0xff || (marker[1] & 0xf8) != 0xd0) j->b.bad = true;
    begin_interval(j);
}

// All blocks of one component, in its own order.
static void read_alone(jpeg *j, component *c) {
    for (size_t i = 0; i < c->blocks_across * c->blocks_down && !j->b.bad; i++) {
        pass_restart(j, i);
        read_block(j, c, i / c->blocks_across, i % c->blocks_across);
    }
}

static void read_interleaved(jpeg *j, component *const *scanned, size_t count) {
    for (size_t m = 0; m < j->mcus_across * j->mcus_down && !j->b.bad; m++) {
        pass_restart(j, m);
        const size_t row = m / j->mcus_across, column = m % j->mcus_across;
        for (size_t i = 0; i < count; i++) {
            component *c = scanned[i];
            for (size_t y = 0; y < c->down; y++)
                for (size_t x = 0; x < c->across; x++)
                    read_block(j, c, row * c->down + y, column * c->across + x);
        }
    }
}

static void read_scan(jpeg *j) {
    component *scanned[MOST_COMPONENTS];
    const size_t count = oq_image_number(&j->b, 1);
    if (!count || count > j->count) j->b.bad = true;
    if (j->b.bad) return;
    for (size_t i = 0; i < count; i++) {
        const unsigned id = oq_image_number(&j->b, 1), tables = oq_image_number(&j->b, 1);
        component *c = NULL;
        for (size_t k = 0; k < j->count; k++)
            if (j->components[k].id == id) c = &j->components[k];
        if (!c || tables >> 4 >= TABLES || (tables & 15) >= TABLES) {
            j->b.bad = true;
            return;
        }
        c->dc = tables >> 4, c->ac = tables & 15;
        c->scanned = true;
        scanned[i] = c;
    }
    oq_image_take(&j->b, 3); // spectral selection: all of it
    if (j->b.bad) return;
    begin_interval(j);
    if (count == 1)
        read_alone(j, scanned[0]);
    else
        read_interleaved(j, scanned, count);
}

// --- markers ---

static void read_quantizers(jpeg *j, size_t end) {
    while (j->b.at < end && !j->b.bad) {
        const unsigned head = oq_image_number(&j->b, 1);
        if ((head & 15) >= TABLES) j->b.bad = true;
        for (size_t i = 0; i < 64 && !j->b.bad; i++)
            j->quantizer[head & 15][i] = (uint16_t)oq_image_number(&j->b, head >> 4 ? 2 : 1);
    }
}

static void read_huffman(jpeg *j, size_t end) {
    while (j->b.at < end && !j->b.bad) {
        const unsigned head = oq_image_number(&j->b, 1);
        size_t total = 0;
        if (head >> 4 > 1 || (head & 15) >= TABLES) j->b.bad = true;
        if (j->b.bad) return;
        huffman *table = &j->table[head >> 4][head & 15];
        for (size_t length = 1; length <= 16; length++)
            total += table->count[length] = oq_image_number(&j->b, 1);
        const uint8_t *symbols = total <= sizeof table->symbol ? oq_image_take(&j->b, total) : NULL;
        if (symbols)
            memcpy(table->symbol, symbols, total);
        else
            j->b.bad = true;
    }
}

static size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

static void read_component(jpeg *j, component *c) {
    c->id = oq_image_number(&j->b, 1);
    const unsigned factors = oq_image_number(&j->b, 1);
    c->across = factors >> 4, c->down = factors & 15;
    c->quantizer = oq_image_number(&j->b, 1);
    if (!c->across || c->across > 4 || !c->down || c->down > 4 || c->quantizer >= TABLES) j->b.bad = true;
    if (c->across > j->most_across) j->most_across = c->across;
    if (c->down > j->most_down) j->most_down = c->down;
}

static void place_component(jpeg *j, component *c) {
    if (j->most_across % c->across || j->most_down % c->down) j->unsupported = "of such sampling factors";
    c->plane = (oq_jpeg_plane){.width = divide_up(j->width * c->across, j->most_across),
                               .height = divide_up(j->height * c->down, j->most_down),
                               .stride = j->mcus_across * c->across * SIDE,
                               .across = j->most_across / c->across,
                               .down = j->most_down / c->down};
    c->blocks_across = divide_up(c->plane.width, SIDE);
    c->blocks_down = divide_up(c->plane.height, SIDE);
}

static oq_status read_frame(jpeg *j, oq_run_context *context, oq_error *err) {
    if (oq_image_number(&j->b, 1) != 8) j->unsupported = "of more than 8 bits";
    j->height = oq_image_number(&j->b, 2);
    j->width = oq_image_number(&j->b, 2);
    const size_t count = oq_image_number(&j->b, 1);
    if (count != 1 && count != MOST_COMPONENTS) j->unsupported = "of other than 1 or 3 components";
    if (j->count || !j->height || !j->width) j->b.bad = true; // also a second frame
    if (j->b.bad || j->unsupported) return ONNXQ_OK;
    for (size_t i = 0; i < count; i++) read_component(j, &j->components[i]);
    if (j->b.bad) return ONNXQ_OK;
    if (count == 1) // one component is not interleaved: its factors say nothing
        j->components[0].across = j->components[0].down = j->most_across = j->most_down = 1;
    j->mcus_across = divide_up(j->width, SIDE * j->most_across);
    j->mcus_down = divide_up(j->height, SIDE * j->most_down);
    size_t blocks = 0;
    for (size_t i = 0; i < count; i++) blocks += (size_t)j->components[i].across * j->components[i].down;
    // A block takes two bits at the least: whoever claims more blocks is damaged.
    if (j->mcus_across * j->mcus_down * blocks > j->b.count * 4) j->b.bad = true;
    for (size_t i = 0; i < count && !j->b.bad; i++) {
        component *c = &j->components[i];
        place_component(j, c);
        c->plane.samples = oq_scratch(context, c->plane.stride * j->mcus_down * c->down * SIDE, err);
        if (!c->plane.samples) return ONNXQ_NO_MEMORY;
    }
    j->count = count;
    return ONNXQ_OK;
}

static void read_adobe(jpeg *j, size_t length) {
    const uint8_t *data = oq_image_take(&j->b, length);
    if (data && length >= 12 && !memcmp(data, "Adobe", 5)) j->is_rgb = data[11] == 0;
}

enum { SOF0 = 0xc0, SOF1, SOF2, DHT = 0xc4, SOF15 = 0xcf, EOI = 0xd9, SOS, DQT, DRI = 0xdd, APP14 = 0xee };

static oq_status read_segment(jpeg *j, unsigned marker, oq_run_context *context, oq_error *err) {
    const size_t begin = j->b.at, length = oq_image_number(&j->b, 2), end = begin + length;
    if (length < 2 || end > j->b.count) j->b.bad = true;
    if (j->b.bad) return ONNXQ_OK;
    if (marker == SOS) {
        read_scan(j); // its data lie behind the segment
        return ONNXQ_OK;
    }
    if (marker == DQT) read_quantizers(j, end);
    if (marker == DHT) read_huffman(j, end);
    if (marker == DRI) j->restart = oq_image_number(&j->b, 2);
    if (marker == APP14) read_adobe(j, length - 2);
    if (marker == SOF0 || marker == SOF1)
        OQ_TRY(read_frame(j, context, err));
    else if (marker >= SOF2 && marker <= SOF15 && marker != DHT && marker != 0xc8 && marker != 0xcc)
        j->unsupported = marker == SOF2 ? "in progressive form" : "of this process";
    j->b.at = end;
    return ONNXQ_OK;
}

// Marker after marker until the image ends; bytes between them, as behind a scan, are passed over.
static oq_status read_markers(jpeg *j, oq_run_context *context, oq_error *err) {
    j->b.at = 2;
    while (!j->b.bad && !j->unsupported) {
        unsigned marker = 0;
        while (!j->b.bad && oq_image_number(&j->b, 1) != 0xff) continue;
        do marker = oq_image_number(&j->b, 1);
        while (marker == 0xff);
        if (marker == EOI) break;
        if (marker == 0 || (marker >= 0xd0 && marker <= 0xd7)) continue;
        OQ_TRY(read_segment(j, marker, context, err));
    }
    for (size_t i = 0; i < j->count; i++)
        if (!j->components[i].scanned) j->b.bad = true;
    return ONNXQ_OK;
}

// --- pixels ---

static bool names_rgb(const jpeg *j) {
    static const char ids[] = "RGB";
    for (size_t i = 0; i < MOST_COMPONENTS; i++)
        if (j->components[i].id != (unsigned)ids[i]) return false;
    return true;
}

static oq_status write_pixels(const jpeg *j, oq_run_context *context, oq_image *out, oq_error *err) {
    uint8_t *rows[MOST_COMPONENTS];
    const bool rgb = j->is_rgb || names_rgb(j);
    for (size_t i = 0; i < j->count; i++) {
        const oq_jpeg_plane *plane = &j->components[i].plane;
        rows[i] = oq_scratch(context, plane->across * plane->width, err);
        if (!rows[i]) return ONNXQ_NO_MEMORY;
    }
    for (size_t y = 0; y < out->height; y++) {
        uint8_t *to = out->pixels + y * out->width * out->channels;
        for (size_t i = 0; i < j->count; i++) oq_jpeg_upsample_row(&j->components[i].plane, y, rows[i]);
        for (size_t x = 0; x < out->width; x++, to += out->channels) {
            if (j->count == MOST_COMPONENTS && !rgb)
                oq_jpeg_color(rows[0][x], rows[1][x], rows[2][x], to);
            else
                for (size_t i = 0; i < j->count; i++) to[i] = rows[i][x];
        }
    }
    return ONNXQ_OK;
}

oq_status oq_image_jpeg(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err) {
    jpeg *j = oq_scratch(context, sizeof *j, err);
    if (!j) return ONNXQ_NO_MEMORY;
    *j = (jpeg){.b = b};
    j->b.big_endian = true;
    OQ_TRY(read_markers(j, context, err));
    if (j->unsupported)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "JPEG images %s are not decoded", j->unsupported);
    if (j->b.bad || !j->count) return ONNXQ_OK;
    OQ_TRY(oq_image_new(context, j->height, j->width, j->count, out, err));
    return out->pixels ? write_pixels(j, context, out, err) : ONNXQ_OK;
}
