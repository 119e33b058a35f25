// The statistics file: little-endian, numbers as variable-length integers, closed by a checksum of all before
// it.
#include "base/file.h"
#include "base/text.h"
#include "stats/stats.h"

#include <math.h>
#include <string.h>

static const char magic[8] = OQ_STATS_MAGIC;
enum { LIMBS = 40, CHECKSUM = 16 };

// --- writing ---
static void put_number(oq_text *to, uint64_t value) {
    uint8_t bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    oq_text_add_bytes(to, bytes, n);
}

// Zigzag: small magnitudes of either sign stay short.
static void put_signed(oq_text *to, int64_t value) {
    put_number(to, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static void put_float(oq_text *to, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(to, bits);
}

static void put_sum(oq_text *to, const oq_exact_sum *sum) {
    oq_exact_sum s = *sum;
    oq_exact_sum_normalize(&s);
    for (int k = 0; k < LIMBS; k++) put_signed(to, s.limb[k]);
}

static void put_channel_sum(oq_text *to, const oq_channel_sum *sum) {
    oq_exact_sum wide;
    oq_channel_sum_widen(sum, &wide);
    put_sum(to, &wide);
}

static void put_hash(oq_text *to, oq_hash hash) {
    put_number(to, hash.high);
    put_number(to, hash.low);
}

static void put_levels(oq_text *to, const oq_levels *levels) {
    put_number(to, levels->count);
    for (size_t i = 0; levels->count <= OQ_LEVELS_MOST && i < levels->count; i++)
        put_float(to, levels->value[i]);
}

static void put_tensor(oq_text *to, const oq_tensor_stats *t) {
    const size_t length = strlen(t->name);
    put_number(to, length);
    oq_text_add_bytes(to, t->name, length);
    put_float(to, t->min);
    put_float(to, t->max);
    put_number(to, t->count);
    put_number(to, t->zero);
    put_number(to, t->nan);
    put_number(to, t->infinite);
    put_number(to, t->first_bad_sample);
    put_sum(to, &t->sum);
    put_sum(to, &t->sum_squares);
    put_number(to, t->histogram.used);
    put_signed(to, t->histogram.exponent);
    put_signed(to, t->histogram.first);
    for (int b = 0; t->histogram.used && b < OQ_STATS_BINS; b++) put_number(to, t->histogram.count[b]);
    put_signed(to, t->axis);
    put_number(to, t->channels);
    put_number(to, t->channel_count);
    put_number(to, t->counts_levels);
    for (size_t c = 0; c < t->channels; c++) {
        put_float(to, t->channel_min[c]);
        put_float(to, t->channel_max[c]);
        put_channel_sum(to, &t->channel_sum[c]);
        if (t->levels) put_levels(to, &t->levels[c]);
    }
}

static void put_checksum(oq_text *to) {
    const oq_hash hash = oq_hash_bytes(to->data, to->length);
    uint8_t bytes[CHECKSUM];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(hash.high >> 8 * i);
        bytes[8 + i] = (uint8_t)(hash.low >> 8 * i);
    }
    oq_text_add_bytes(to, bytes, sizeof bytes);
}

oq_status oq_stats_save(const oq_stats *stats, const char *path, oq_error *err) {
    oq_text bytes;
    oq_writer *writer = NULL;
    oq_text_init(&bytes, stats->mem);
    oq_text_add_bytes(&bytes, magic, sizeof magic);
    put_hash(&bytes, stats->model);
    put_hash(&bytes, stats->data);
    put_number(&bytes, (uint64_t)stats->synthetic | (uint64_t)stats->given << 1);
    put_number(&bytes, stats->samples);
    put_number(&bytes, stats->count);
    for (size_t i = 0; i < stats->count; i++) put_tensor(&bytes, stats->tensors[i]);
    if (!bytes.failed) put_checksum(&bytes);
    oq_status status = bytes.failed ? oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while writing '%s'", path)
                                    : oq_writer_open(stats->mem, path, &writer, err);
    if (status == ONNXQ_OK) {
        status = oq_writer_write(writer, bytes.data, bytes.length, err);
        if (status == ONNXQ_OK)
            status = oq_writer_commit(writer, err);
        else
            oq_writer_abort(writer);
    }
    oq_text_release(&bytes);
    return status;
}

// --- reading ---
typedef struct reader {
    const uint8_t *at, *end;
    bool bad; // something did not fit; all later reads give 0
} reader;

static uint64_t get_number(reader *r) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (r->at == r->end) break;
        const uint8_t byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    r->bad = true;
    return 0;
}

static int64_t get_signed(reader *r) {
    const uint64_t value = get_number(r);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static float get_float(reader *r) {
    const uint64_t number = get_number(r);
    if (number > UINT32_MAX) r->bad = true;
    const uint32_t bits = (uint32_t)number;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// Only in the normal form in which it was written: other digits could overflow when they are added.
static void get_sum(reader *r, oq_exact_sum *sum) {
    for (int k = 0; k < LIMBS; k++) {
        const int64_t digit = get_signed(r);
        const bool top = k == LIMBS - 1;
        if (digit < (top ? -(INT64_C(1) << 40) : 0) || digit >= INT64_C(1) << (top ? 40 : 32)) r->bad = true;
        sum->limb[k] = digit;
    }
}

static void get_channel_sum(reader *r, oq_channel_sum *sum) {
    oq_exact_sum wide;
    get_sum(r, &wide);
    if (!oq_channel_sum_narrow(&wide, sum)) r->bad = true;
}

// An end of a range: finite, or the infinity that stands for no values.
static bool range_is_sound(float min, float max) {
    return (isfinite(min) && isfinite(max) && min <= max) || (min == INFINITY && max == -INFINITY);
}

static oq_hash get_hash(reader *r) {
    const uint64_t high = get_number(r);
    return (oq_hash){high, get_number(r)};
}

static void get_levels(reader *r, oq_levels *levels) {
    levels->count = get_number(r);
    for (size_t i = 0; levels->count <= OQ_LEVELS_MOST && i < levels->count; i++)
        levels->value[i] = get_float(r);
    if (!oq_levels_are_sound(levels)) r->bad = true;
}

static oq_status get_channels(reader *r, oq_tensor_stats *t, oq_mem *mem, oq_error *err) {
    const int64_t axis = get_signed(r);
    if (axis < -1 || axis >= OQ_MAX_RANK) r->bad = true;
    t->axis = (int)axis;
    const uint64_t channels = get_number(r);
    t->channel_count = get_number(r);
    t->counts_levels = get_number(r) != 0;
    if (channels > (uint64_t)(r->end - r->at)) r->bad = true; // each takes more than a byte
    if (r->bad || !channels) return ONNXQ_OK;
    t->channel_min = oq_mem_calloc(mem, channels, sizeof *t->channel_min, err);
    t->channel_max = oq_mem_calloc(mem, channels, sizeof *t->channel_max, err);
    t->channel_sum = oq_mem_calloc(mem, channels, sizeof *t->channel_sum, err);
    if (t->counts_levels) t->levels = oq_mem_calloc(mem, channels, sizeof *t->levels, err);
    if (!t->channel_min || !t->channel_max || !t->channel_sum || (t->counts_levels && !t->levels))
        return ONNXQ_NO_MEMORY;
    t->channels = channels;
    for (size_t c = 0; c < channels; c++) {
        t->channel_min[c] = get_float(r);
        t->channel_max[c] = get_float(r);
        get_channel_sum(r, &t->channel_sum[c]);
        if (t->levels) get_levels(r, &t->levels[c]);
        if (!range_is_sound(t->channel_min[c], t->channel_max[c])) r->bad = true;
    }
    return ONNXQ_OK;
}

static oq_status get_name(reader *r, oq_stats *stats, oq_tensor_stats **out, oq_error *err) {
    const uint64_t length = get_number(r);
    *out = NULL;
    if (r->bad || length > (uint64_t)(r->end - r->at) || memchr(r->at, 0, length)) {
        r->bad = true;
        return ONNXQ_OK;
    }
    char *name = oq_mem_alloc(stats->mem, length + 1, err);
    if (!name) return ONNXQ_NO_MEMORY;
    memcpy(name, r->at, length);
    name[length] = 0;
    r->at += length;
    if (oq_stats_find(stats, name)) r->bad = true; // each tensor stands once
    const oq_status status = r->bad ? ONNXQ_OK : oq_stats_ensure(stats, name, out, err);
    oq_mem_free(stats->mem, name);
    return status;
}

static oq_status get_tensor(reader *r, oq_stats *stats, oq_error *err) {
    oq_tensor_stats *t;
    OQ_TRY(get_name(r, stats, &t, err));
    if (r->bad) return ONNXQ_OK;
    t->min = get_float(r);
    t->max = get_float(r);
    t->count = get_number(r);
    t->zero = get_number(r);
    t->nan = get_number(r);
    t->infinite = get_number(r);
    t->first_bad_sample = get_number(r);
    get_sum(r, &t->sum);
    get_sum(r, &t->sum_squares);
    t->histogram.used = get_number(r) != 0;
    const int64_t exponent = get_signed(r);
    if (exponent < -200 || exponent > 200) r->bad = true;
    t->histogram.exponent = (int)exponent;
    t->histogram.first = get_signed(r);
    for (int b = 0; t->histogram.used && b < OQ_STATS_BINS; b++) t->histogram.count[b] = get_number(r);
    // Ranges that were given come without values.
    const bool placed =
        stats->given ? !t->histogram.used : oq_histogram_is_placed(&t->histogram, t->min, t->max);
    if (!range_is_sound(t->min, t->max) || !placed) r->bad = true;
    return get_channels(r, t, stats->mem, err);
}

static bool checksum_holds(const uint8_t *bytes, size_t count) {
    const oq_hash hash = oq_hash_bytes(bytes, count - CHECKSUM);
    uint64_t high = 0, low = 0;
    for (int i = 0; i < 8; i++) {
        high |= (uint64_t)bytes[count - CHECKSUM + (size_t)i] << 8 * i;
        low |= (uint64_t)bytes[count - CHECKSUM + 8 + (size_t)i] << 8 * i;
    }
    return hash.high == high && hash.low == low;
}

static oq_status parse(reader *r, oq_stats *stats, oq_error *err) {
    stats->model = get_hash(r);
    stats->data = get_hash(r);
    const uint64_t origin = get_number(r);
    if (origin > 3) r->bad = true;
    stats->synthetic = origin & 1;
    stats->given = origin >> 1 & 1;
    stats->samples = get_number(r);
    const uint64_t count = get_number(r);
    for (uint64_t i = 0; i < count && !r->bad; i++) OQ_TRY(get_tensor(r, stats, err));
    return ONNXQ_OK;
}

oq_status oq_stats_load(oq_mem *mem, const char *path, oq_stats **out, oq_error *err) {
    uint8_t *bytes = NULL;
    size_t count;
    *out = NULL;
    OQ_TRY(oq_file_read_all(mem, path, &bytes, &count, err));
    oq_status status;
    if (count < sizeof magic + CHECKSUM || memcmp(bytes, magic, sizeof magic) != 0) {
        status = oq_fail(err, ONNXQ_BAD_DATA,
                         "'%s' is no statistics file of onnxq: make one with 'onnxq calibrate'", path);
        goto done;
    }
    if (!checksum_holds(bytes, count)) {
        status = oq_fail(err, ONNXQ_BAD_DATA,
                         "the statistics file '%s' is damaged: make it again with 'onnxq calibrate'", path);
        goto done;
    }
    reader r = {bytes + sizeof magic, bytes + count - CHECKSUM, false};
    OQ_TRY_DONE(oq_stats_new(mem, out, err));
    OQ_TRY_DONE(parse(&r, *out, err));
    if (r.bad || r.at != r.end)
        status = oq_fail(err, ONNXQ_BAD_DATA,
                         "the statistics file '%s' is not well formed: make it again with 'onnxq calibrate'",
                         path);
done:
    if (status != ONNXQ_OK) {
        oq_error_at_file(err, path);
        oq_stats_free(*out);
        *out = NULL;
    }
    oq_mem_free(mem, bytes);
    return status;
}
