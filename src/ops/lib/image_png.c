// PNG: chunks, zlib, row filters (W3C Portable Network Graphics, second edition).
#include "ops/lib/image.h"

#include <string.h>
#include <zlib.h>

enum { GRAY, RGB = 2, PALETTE, GRAY_ALPHA, RGB_ALPHA = 6 };

typedef struct png {
    uint32_t width, height, depth, color, interlace;
    const uint8_t *palette; // red, green, blue
    size_t colors;
    size_t samples; // of a pixel
    size_t step;    // bytes from a byte to the one of the pixel before it: at least 1
    size_t row;     // bytes of a row, without the filter's
    uint8_t *packed;
    size_t packed_count;
} png;

static bool read_header(oq_image_bytes *b, png *p) {
    static const uint8_t samples[] = {
        [GRAY] = 1, [RGB] = 3, [PALETTE] = 1, [GRAY_ALPHA] = 2, [RGB_ALPHA] = 4};
    p->width = oq_image_number(b, 4);
    p->height = oq_image_number(b, 4);
    p->depth = oq_image_number(b, 1);
    p->color = oq_image_number(b, 1);
    oq_image_take(b, 2); // compression, filter
    p->interlace = oq_image_number(b, 1);
    p->samples = p->color < sizeof samples ? samples[p->color] : 0;
    const bool deep = p->depth == 8 || (p->depth == 16 && p->color != PALETTE);
    const bool shallow =
        (p->depth == 1 || p->depth == 2 || p->depth == 4) && (p->color == GRAY || p->color == PALETTE);
    const size_t bits = p->depth * p->samples;
    p->step = (bits + 7) / 8;
    p->row = (p->width * bits + 7) / 8;
    return !b->bad && p->samples && (deep || shallow);
}

// Collects the data of all IDAT chunks side by side.
static oq_status read_chunks(oq_run_context *context, oq_image_bytes *b, png *p, bool *good, oq_error *err) {
    bool first = true;
    *good = false;
    p->packed = oq_scratch(context, b->count, err);
    if (!p->packed) return ONNXQ_NO_MEMORY;
    while (!b->bad) {
        const size_t length = oq_image_number(b, 4);
        const uint8_t *type = oq_image_take(b, 4);
        const size_t begin = b->at;
        const uint8_t *data = oq_image_take(b, length);
        if (!type || !data) break;
        if (first != !memcmp(type, "IHDR", 4)) break;
        if (first) {
            oq_image_bytes header = {
                .data = b->data, .count = begin + length, .at = begin, .big_endian = true};
            if (!read_header(&header, p)) break;
        }
        first = false;
        if (!memcmp(type, "PLTE", 4)) p->palette = data, p->colors = length / 3;
        if (!memcmp(type, "IDAT", 4)) {
            memcpy(p->packed + p->packed_count, data, length);
            p->packed_count += length;
        }
        if (!memcmp(type, "IEND", 4)) {
            *good = true;
            break;
        }
        oq_image_take(b, 4); // the checksum
    }
    return ONNXQ_OK;
}

static int paeth(int a, int b, int c) {
    const int p = a + b - c, pa = p > a ? p - a : a - p, pb = p > b ? p - b : b - p,
              pc = p > c ? p - c : c - p;
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

// One row in place; `above` is the row before it, without its filter.
static bool unfilter(const png *p, int filter, uint8_t *row, const uint8_t *above) {
    for (size_t i = 0; i < p->row; i++) {
        const int left = i >= p->step ? row[i - p->step] : 0, up = above ? above[i] : 0;
        const int corner = above && i >= p->step ? above[i - p->step] : 0;
        const int add[] = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
        if (filter > 4) return false;
        row[i] = (uint8_t)(row[i] + add[filter]);
    }
    return true;
}

// Sample `i` of a row as 8 bits: the high byte of 16; fewer bits spread over the range, indices as they are.
static uint8_t sample(const png *p, const uint8_t *row, size_t i) {
    if (p->depth == 16) return row[2 * i];
    if (p->depth == 8) return row[i];
    const size_t bit = i * p->depth;
    const uint32_t greatest = (1U << p->depth) - 1;
    const uint32_t value = (uint32_t)row[bit / 8] >> (8 - p->depth - bit % 8) & greatest;
    return (uint8_t)(p->color == PALETTE ? value : value * 255 / greatest);
}

static void read_row(const png *p, const uint8_t *row, uint8_t *to, size_t channels) {
    for (size_t x = 0; x < p->width; x++, to += channels) {
        if (p->color == PALETTE) {
            const size_t index = sample(p, row, x);
            for (size_t c = 0; c < 3; c++) to[c] = index < p->colors ? p->palette[3 * index + c] : 0;
            continue;
        }
        for (size_t c = 0; c < channels; c++) to[c] = sample(p, row, x * p->samples + c);
    }
}

oq_status oq_image_png(oq_run_context *context, oq_image_bytes b, oq_image *out, oq_error *err) {
    png p = {0};
    bool good;
    b.at = 8;
    b.big_endian = true;
    OQ_TRY(read_chunks(context, &b, &p, &good, err));
    if (!good || (p.color == PALETTE && !p.palette)) return ONNXQ_OK;
    if (p.interlace) return oq_fail(err, ONNXQ_UNSUPPORTED, "interlaced PNG images are not decoded");
    const size_t channels = p.color == GRAY || p.color == GRAY_ALPHA ? 1 : 3;
    // zlib packs at most 1032 bytes into one: whoever claims more is damaged.
    if (p.height > p.packed_count * 1032 / (p.row + 1)) return ONNXQ_OK;
    uLongf count = (uLongf)p.height * (p.row + 1);
    uint8_t *rows = oq_scratch(context, count, err);
    if (!rows) return ONNXQ_NO_MEMORY;
    const uLongf whole = count;
    if (uncompress(rows, &count, p.packed, p.packed_count) != Z_OK || count != whole) return ONNXQ_OK;
    OQ_TRY(oq_image_new(context, p.height, p.width, channels, out, err));
    for (size_t y = 0; out->pixels && y < p.height; y++) {
        uint8_t *row = rows + y * (p.row + 1) + 1;
        if (unfilter(&p, row[-1], row, y ? row - p.row - 1 : NULL))
            read_row(&p, row, out->pixels + y * p.width * channels, channels);
        else
            out->pixels = NULL;
    }
    return ONNXQ_OK;
}
