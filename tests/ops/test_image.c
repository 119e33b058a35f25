// ImageDecoder: small images of every format, made here; and the same with damaged bytes.
#include "support/op_context.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct file {
    uint8_t bytes[1024];
    size_t count;
} file;

static void put(file *f, const void *bytes, size_t count) {
    ck_assert_uint_le(f->count + count, sizeof f->bytes);
    memcpy(f->bytes + f->count, bytes, count);
    f->count += count;
}

static void put_number(file *f, uint32_t number, int size, bool big_endian) {
    for (int i = 0; i < size; i++) {
        const uint8_t byte = (uint8_t)(number >> 8 * (big_endian ? size - 1 - i : i));
        put(f, &byte, 1);
    }
}

// --- images of two rows and three columns: red, green, blue; black, gray, white ---

static const uint8_t pixels[2][9] = {{255, 0, 0, 0, 255, 0, 0, 0, 255},
                                     {0, 0, 0, 128, 128, 128, 255, 255, 255}};

static file bmp_file(void) {
    file f = {0};
    put(&f, "BM", 2);
    const uint32_t header[] = {78, 0, 54, 40, 3, 2};
    for (int i = 0; i < 6; i++) put_number(&f, header[i], 4, false);
    put_number(&f, 1, 2, false);
    put_number(&f, 24, 2, false);
    for (int i = 0; i < 6; i++) put_number(&f, 0, 4, false);
    for (int y = 1; y >= 0; y--) {
        for (int x = 0; x < 3; x++)
            for (int c = 2; c >= 0; c--) put(&f, &pixels[y][3 * x + c], 1);
        put_number(&f, 0, 3, false);
    }
    return f;
}

static file pnm_file(void) {
    file f = {0};
    put(&f, "P6 # comment\n3 2\n255\n", 21);
    put(&f, pixels, sizeof pixels);
    return f;
}

// Two strips of one row each.
static file tiff_file(bool big_endian) {
    file f = {0};
    const uint32_t fields[][4] = {{256, 3, 1, 3}, {257, 3, 1, 2}, {258, 3, 3, 150},
                                  {259, 3, 1, 1}, {262, 3, 1, 2}, {273, 4, 2, 156},
                                  {277, 3, 1, 3}, {278, 3, 1, 1}, {279, 4, 2, 164}};
    put(&f, big_endian ? "MM\0*" : "II*\0", 4);
    put_number(&f, 8, 4, big_endian);
    put_number(&f, 9, 2, big_endian);
    for (size_t i = 0; i < 9; i++) {
        const bool inside = fields[i][1] == 3 && fields[i][2] == 1;
        put_number(&f, fields[i][0], 2, big_endian);
        put_number(&f, fields[i][1], 2, big_endian);
        put_number(&f, fields[i][2], 4, big_endian);
        put_number(&f, fields[i][3], inside ? 2 : 4, big_endian);
        if (inside) put_number(&f, 0, 2, big_endian);
    }
    while (f.count < 150) put_number(&f, 0, 1, big_endian);
    for (int i = 0; i < 3; i++) put_number(&f, 8, 2, big_endian);
    const uint32_t strips[] = {172, 181, 9, 9};
    for (int i = 0; i < 4; i++) put_number(&f, strips[i], 4, big_endian);
    put(&f, pixels, sizeof pixels);
    return f;
}

static void put_chunk(file *f, const char *type, const void *data, size_t count) {
    put_number(f, (uint32_t)count, 4, true);
    put(f, type, 4);
    put(f, data, count);
    put_number(f, 0, 4, true);
}

// `rows` come with their filters; the data in two chunks.
static file png_of(uint32_t depth, uint32_t color, const void *rows, size_t count, const void *palette,
                   size_t palette_bytes) {
    file f = {0}, header = {0};
    uint8_t packed[256];
    uLongf length = sizeof packed;
    ck_assert_int_eq(compress(packed, &length, rows, count), Z_OK);
    put_number(&header, 3, 4, true);
    put_number(&header, 2, 4, true);
    put_number(&header, depth, 1, true);
    put_number(&header, color, 1, true);
    put_number(&header, 0, 3, true);
    put(&f, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&f, "IHDR", header.bytes, header.count);
    if (palette) put_chunk(&f, "PLTE", palette, palette_bytes);
    put_chunk(&f, "IDAT", packed, 5);
    put_chunk(&f, "IDAT", packed + 5, length - 5);
    put_chunk(&f, "IEND", "", 0);
    return f;
}

// The first row with filter Sub, the second with the given one.
static file png_file(int filter) {
    uint8_t rows[2][10] = {{1}, {(uint8_t)filter}};
    for (int y = 0; y < 2; y++)
        for (int i = 0; i < 9; i++) {
            const int x = pixels[y][i], left = i >= 3 ? pixels[y][i - 3] : 0;
            const int up = y ? pixels[0][i] : 0, corner = y && i >= 3 ? pixels[0][i - 3] : 0;
            const int p = left + up - corner;
            const int best = abs(p - left) <= abs(p - up) && abs(p - left) <= abs(p - corner) ? left
                             : abs(p - up) <= abs(p - corner)                                 ? up
                                                                                              : corner;
            const int guess[] = {0, left, up, (left + up) / 2, best};
            rows[y][i + 1] = (uint8_t)(x - guess[rows[y][0]]);
        }
    return png_of(8, 2, rows, sizeof rows, NULL, 0);
}

// --- running ---

static void decode(test_op *op, const file *f, const char *layout) {
    test_op_init(op, "ImageDecoder", 20);
    test_op_string(op, "pixel_format", layout);
    test_op_input(op, test_op_tensor_raw(op, ONNXQ_UINT8, OQ_SHAPE((int64_t)f->count), f->bytes));
}

static void expect_pixels(const file *f) {
    test_op op;
    double rgb[18], bgr[18];
    const double gray[] = {76, 150, 29, 0, 128, 255};
    for (int i = 0; i < 18; i++) {
        rgb[i] = pixels[i / 9][i % 9];
        bgr[i] = pixels[i / 9][i % 9 - i % 3 + 2 - i % 3];
    }
    const char *const layouts[] = {"RGB", "BGR", "Grayscale"};
    const double *const expected[] = {rgb, bgr, gray};
    for (int k = 0; k < 3; k++) {
        decode(&op, f, layouts[k]);
        test_op_run(&op, 1);
        test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(2, 3, k == 2 ? 1 : 3), expected[k], 0);
        test_op_release(&op);
    }
}

static file sample_file(int which) {
    switch (which) {
    case 0: return bmp_file();
    case 1: return pnm_file();
    case 2: return tiff_file(false);
    case 3: return tiff_file(true);
    default: return png_file(which - 4);
    }
}
enum { SAMPLES = 9 };

START_TEST(all_formats_give_the_same_pixels) {
    const file f = sample_file(_i);
    expect_pixels(&f);
}
END_TEST

START_TEST(png_of_few_bits) {
    test_op op;
    static const uint8_t palette[] = {1, 2, 3, 40, 50, 60};
    const uint8_t bits[] = {0, 0xa0, 0, 0x40}; // 1 0 1; 0 1 0
    file f = png_of(1, 3, bits, sizeof bits, palette, sizeof palette);
    decode(&op, &f, "RGB");
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(2, 3, 3),
                   (double[]){40, 50, 60, 1, 2, 3, 40, 50, 60, 1, 2, 3, 40, 50, 60, 1, 2, 3}, 0);
    test_op_release(&op);
    const uint8_t pairs[] = {0, 0x1b, 0, 0xe4}; // 0 1 2; 3 2 1
    f = png_of(2, 0, pairs, sizeof pairs, NULL, 0);
    decode(&op, &f, "Grayscale");
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(2, 3, 1), (double[]){0, 85, 170, 255, 170, 85}, 0);
    test_op_release(&op);
}
END_TEST

// --- JPEG: 16 x 16 pixels of one color, chroma at half the resolution ---

typedef struct bits {
    file *f;
    unsigned value, count;
} bits;

static void put_bits(bits *b, const char *text) {
    for (; *text; text++) {
        if (*text == ' ') continue;
        b->value = b->value << 1 | (*text == '1');
        if (++b->count % 8) continue;
        put_number(b->f, b->value & 0xff, 1, true);
        if ((b->value & 0xff) == 0xff) put_number(b->f, 0, 1, true);
    }
}

static file jpeg_file(unsigned kind) {
    file f = {0};
    put_number(&f, 0xffd8ffdb, 4, true);
    put_number(&f, 67, 2, true);
    put_number(&f, 0, 1, true);
    for (int i = 0; i < 64; i++) put_number(&f, 8, 1, true);
    put_number(&f, 0xff00 | kind, 2, true);
    put(&f, "\0\x11\x08\0\x10\0\x10\x03\x01\x22\0\x02\x11\0\x03\x11", 17 - 1);
    put_number(&f, 0, 1, true);
    // Codes of two bits. DC: 00 no change, 01 six bits; AC: 00 the end, 01 one bit.
    for (uint32_t table = 0; table < 0x20; table += 0x10) {
        put_number(&f, 0xffc40015, 4, true);
        put_number(&f, table, 1, true);
        put(&f, "\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17);
        put_number(&f, table ? 1 : 6, 1, true);
    }
    put(&f, "\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\x3f\0", 14);
    bits b = {.f = &f};
    put_bits(&b, "01 101000 00  00 00  00 00  00 00"); // luma 128 + 40, four blocks
    put_bits(&b, "01 010111 00  00 00  111111");       // blue 128 - 40, red 128; fill
    put_number(&f, 0xffd9, 2, true);
    return f;
}

START_TEST(jpeg_of_one_color) {
    test_op op;
    double expected[16 * 16 * 3];
    for (int i = 0; i < 16 * 16; i++)
        expected[3 * i] = 168, expected[3 * i + 1] = 182, expected[3 * i + 2] = 97;
    const file f = jpeg_file(0xc0);
    decode(&op, &f, "RGB");
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(16, 16, 3), expected, 0);
    test_op_release(&op);
}
END_TEST

START_TEST(what_is_not_decoded_is_told) {
    static const struct {
        const char *bytes;
        size_t count;
        const char *sentence;
    } images[] = {{"\0\0\0\x0cjP  \r\n", 10, "JPEG 2000"},
                  {"RIFF\0\0\0\0WEBPVP8 ", 16, "WebP"},
                  {"P3\n1 1\n255\n1 2 3\n", 17, "PPM as text"}};
    test_op op;
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        file f = {0};
        put(&f, images[i].bytes, images[i].count);
        decode(&op, &f, "RGB");
        ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_UNSUPPORTED);
        ck_assert_msg(strstr(op.err.message, images[i].sentence) != NULL, "%s", op.err.message);
        test_op_release(&op);
    }
    const file progressive = jpeg_file(0xc2);
    decode(&op, &progressive, "RGB");
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(op.err.message, "progressive"));
    test_op_release(&op);
}
END_TEST

// --- damage ---

static void expect_survival(const file *f) {
    test_op op;
    decode(&op, f, "RGB");
    const oq_status status = test_op_try(&op, 1);
    ck_assert(status == ONNXQ_OK || status == ONNXQ_UNSUPPORTED);
    test_op_release(&op);
}

START_TEST(cut_files_have_no_pixels) {
    test_op op;
    const file whole = _i < SAMPLES ? sample_file(_i) : jpeg_file(0xc0);
    for (size_t count = 0; count < whole.count; count++) {
        file f = whole;
        f.count = count;
        decode(&op, &f, "RGB");
        test_op_run(&op, 1);
        ck_assert_msg(oq_tensor_count(test_op_output(&op, 0)) == 0 || (_i >= 4 && count + 4 >= whole.count),
                      "file %d, cut at %zu", _i, count);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(changed_bytes_do_no_harm) {
    static const uint8_t masks[] = {0xff, 0x80, 0x01, 0x10};
    const file whole = _i < SAMPLES ? sample_file(_i) : jpeg_file(0xc0);
    for (size_t at = 0; at < whole.count; at++)
        for (size_t m = 0; m < sizeof masks; m++) {
            file f = whole;
            f.bytes[at] ^= masks[m];
            expect_survival(&f);
        }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("image");
    TCase *images = tcase_create("images");
    tcase_add_loop_test(images, all_formats_give_the_same_pixels, 0, SAMPLES);
    tcase_add_test(images, png_of_few_bits);
    tcase_add_test(images, jpeg_of_one_color);
    tcase_add_test(images, what_is_not_decoded_is_told);
    tcase_add_loop_test(images, cut_files_have_no_pixels, 0, SAMPLES + 1);
    tcase_add_loop_test(images, changed_bytes_do_no_harm, 0, SAMPLES + 1);
    suite_add_tcase(suite, images);
    return test_main(suite);
}
