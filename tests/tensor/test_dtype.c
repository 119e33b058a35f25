// Tests of tensor: the table of data types, exact conversions of narrow floats, load and store, packing.
#include "support/support.h"
#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

static const oq_dtype small_floats[] = {ONNXQ_FLOAT8E4M3FN,   ONNXQ_FLOAT8E4M3FNUZ, ONNXQ_FLOAT8E5M2,
                                        ONNXQ_FLOAT8E5M2FNUZ, ONNXQ_FLOAT6E2M3,     ONNXQ_FLOAT6E3M2,
                                        ONNXQ_FLOAT4E2M1};
enum { SMALL_FLOATS = sizeof small_floats / sizeof small_floats[0] };

static uint32_t random_bits(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

START_TEST(table_agrees_with_the_public_list) {
#define EXPECT(NAME, NUMBER, BITS, TEXT)                                                                     \
    ck_assert_str_eq(oq_dtype_info(ONNXQ_##NAME)->name, TEXT);                                               \
    ck_assert_uint_eq(oq_dtype_info(ONNXQ_##NAME)->bits, BITS);                                              \
    ck_assert_int_eq(oq_dtype_parse(TEXT), ONNXQ_##NAME);                                                    \
    ck_assert_uint_eq(oq_dtype_bytes(ONNXQ_##NAME), ((BITS) + 7) / 8);
    ONNXQ_DTYPE_LIST(EXPECT)
    ck_assert_int_eq(oq_dtype_parse("int9"), ONNXQ_UNDEFINED);
    ck_assert_uint_eq(oq_dtype_info((oq_dtype)77)->bytes, 0);
    ck_assert_uint_eq(oq_dtype_info((oq_dtype)-1)->bytes, 0);
    ck_assert(oq_dtype_is_sub_byte(ONNXQ_INT4) && !oq_dtype_is_sub_byte(ONNXQ_INT8));
    ck_assert(!oq_dtype_is_sub_byte(ONNXQ_STRING));
}
END_TEST

// Values of single codes, from the definitions of the formats.
START_TEST(landmarks_of_small_floats) {
    static const struct {
        oq_dtype dtype;
        uint8_t code;
        double value;
    } marks[] = {
        {ONNXQ_FLOAT8E4M3FN, 0x7e, 448},        {ONNXQ_FLOAT8E4M3FN, 0x01, 0x1p-9},
        {ONNXQ_FLOAT8E4M3FN, 0x08, 0x1p-6},     {ONNXQ_FLOAT8E4M3FN, 0x38, 1},
        {ONNXQ_FLOAT8E4M3FNUZ, 0x7f, 240},      {ONNXQ_FLOAT8E4M3FNUZ, 0x40, 1},
        {ONNXQ_FLOAT8E4M3FNUZ, 0x01, 0x1p-10},  {ONNXQ_FLOAT8E5M2, 0x7b, 57344},
        {ONNXQ_FLOAT8E5M2, 0x01, 0x1p-16},      {ONNXQ_FLOAT8E5M2, 0x7c, INFINITY},
        {ONNXQ_FLOAT8E5M2, 0xfc, -INFINITY},    {ONNXQ_FLOAT8E5M2FNUZ, 0x7f, 57344},
        {ONNXQ_FLOAT8E5M2FNUZ, 0x81, -0x1p-17}, {ONNXQ_FLOAT6E2M3, 0x1f, 7.5},
        {ONNXQ_FLOAT6E2M3, 0x21, -0.125},       {ONNXQ_FLOAT6E3M2, 0x1f, 28},
        {ONNXQ_FLOAT6E3M2, 0x01, 0.0625},       {ONNXQ_FLOAT4E2M1, 0x07, 6},
        {ONNXQ_FLOAT4E2M1, 0x01, 0.5},          {ONNXQ_FLOAT4E2M1, 0x0d, -3},
        {ONNXQ_FLOAT8E8M0, 0x00, 0x1p-127},     {ONNXQ_FLOAT8E8M0, 0x7f, 1},
        {ONNXQ_FLOAT8E8M0, 0xfe, 0x1p127},
    };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        ck_assert_msg((double)oq_small_float_to_float(marks[i].dtype, marks[i].code) == marks[i].value,
                      "%s 0x%02x", oq_dtype_info(marks[i].dtype)->name, marks[i].code);
    const struct {
        oq_dtype dtype;
        uint8_t code;
    } nans[] = {{ONNXQ_FLOAT8E4M3FN, 0x7f}, {ONNXQ_FLOAT8E4M3FN, 0xff},   {ONNXQ_FLOAT8E4M3FNUZ, 0x80},
                {ONNXQ_FLOAT8E5M2, 0x7d},   {ONNXQ_FLOAT8E5M2FNUZ, 0x80}, {ONNXQ_FLOAT8E8M0, 0xff}};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++)
        ck_assert(isnan(oq_small_float_to_float(nans[i].dtype, nans[i].code)));
}
END_TEST

// The finite values of a format in rising order, with their codes: the oracle for rounding.
typedef struct value_list {
    double value[256];
    uint8_t code[256];
    size_t count;
} value_list;

static value_list positive_values(oq_dtype dtype) {
    value_list list = {.count = 0};
    const int sign_bit = oq_dtype_info(dtype)->bits - 1;
    for (int code = 0; code < 1 << sign_bit; code++) {
        const float value = oq_small_float_to_float(dtype, (uint8_t)code);
        if (!isfinite(value)) continue;
        ck_assert(!list.count || (double)value > list.value[list.count - 1]); // codes rise with values
        list.value[list.count] = (double)value;
        list.code[list.count++] = (uint8_t)code;
    }
    return list;
}

// The code of |x| by looking at all values: nearest, ties to the even code; beyond the last one, as if the
// format went on, SIZE_MAX for "over".
static size_t nearest(const value_list *list, double x) {
    const size_t last = list->count - 1;
    const double next = 2 * list->value[last] - list->value[last - 1];
    const double over = (list->value[last] + next) / 2;
    // The next code after the largest is even when the largest is odd: the tie goes there.
    if (x > over || (x == over && list->code[last] % 2)) return SIZE_MAX;
    size_t best = 0;
    for (size_t i = 1; i < list->count; i++) {
        const double d = fabs(x - list->value[i]);
        const double b = fabs(x - list->value[best]);
        if (d < b || (d == b && list->code[i] % 2 == 0)) best = i;
    }
    return best;
}

static void expect_rounding(oq_dtype dtype, const value_list *list, float x) {
    const bool unsigned_zero = dtype == ONNXQ_FLOAT8E4M3FNUZ || dtype == ONNXQ_FLOAT8E5M2FNUZ;
    const uint8_t sign = (uint8_t)(1U << (oq_dtype_info(dtype)->bits - 1));
    const size_t at = nearest(list, fabs((double)x));
    uint8_t wanted = list->code[at == SIZE_MAX ? list->count - 1 : at];
    if (signbit(x) && !(unsigned_zero && wanted == 0)) wanted |= sign;
    const uint8_t got = oq_small_float_from_float(dtype, x, true);
    ck_assert_msg(got == wanted, "%s: %.9g gives 0x%02x, wanted 0x%02x", oq_dtype_info(dtype)->name,
                  (double)x, got, wanted);
    if (at != SIZE_MAX) ck_assert_uint_eq(oq_small_float_from_float(dtype, x, false), wanted);
}

START_TEST(small_floats_round_to_nearest_even) {
    const oq_dtype dtype = small_floats[_i];
    const value_list list = positive_values(dtype);
    uint64_t state = (uint64_t)_i + 1;
    for (size_t i = 0; i + 1 < list.count;
         i++) { // all values, all ties and their neighbours, with both signs
        const float tie = (float)((list.value[i] + list.value[i + 1]) / 2);
        const float points[] = {(float)list.value[i], tie, nextafterf(tie, 0), nextafterf(tie, INFINITY)};
        for (int k = 0; k < 4; k++) {
            expect_rounding(dtype, &list, points[k]);
            expect_rounding(dtype, &list, -points[k]);
        }
    }
    for (int i = 0; i < 3000; i++) {
        const float x = float_of(random_bits(&state));
        if (isfinite(x)) expect_rounding(dtype, &list, x);
        expect_rounding(dtype, &list, (float)(int32_t)random_bits(&state) * 0x1p-27F);
    }
}
END_TEST

START_TEST(codes_survive_the_way_through_float) {
    const oq_dtype dtype = small_floats[_i];
    for (int code = 0; code < 1 << oq_dtype_info(dtype)->bits; code++) {
        const float x = oq_small_float_to_float(dtype, (uint8_t)code);
        if (!isnan(x)) ck_assert_uint_eq(oq_small_float_from_float(dtype, x, false), (unsigned)code);
    }
}
END_TEST

// The table of ONNX's Cast for values that a format does not have.
START_TEST(special_values) {
    static const struct {
        oq_dtype dtype;
        uint8_t nan, inf, inf_saturated;
    } cases[] = {{ONNXQ_FLOAT8E4M3FN, 0x7f, 0x7f, 0x7e}, {ONNXQ_FLOAT8E4M3FNUZ, 0x80, 0x80, 0x7f},
                 {ONNXQ_FLOAT8E5M2, 0x7e, 0x7c, 0x7b},   {ONNXQ_FLOAT8E5M2FNUZ, 0x80, 0x80, 0x7f},
                 {ONNXQ_FLOAT6E2M3, 0x20, 0x1f, 0x1f},   {ONNXQ_FLOAT6E3M2, 0x20, 0x1f, 0x1f},
                 {ONNXQ_FLOAT4E2M1, 0x08, 0x07, 0x07}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const oq_dtype dtype = cases[i].dtype;
        ck_assert_uint_eq(oq_small_float_from_float(dtype, NAN, true), cases[i].nan);
        ck_assert_uint_eq(oq_small_float_from_float(dtype, INFINITY, false), cases[i].inf);
        ck_assert_uint_eq(oq_small_float_from_float(dtype, INFINITY, true), cases[i].inf_saturated);
        ck_assert_uint_eq(oq_small_float_from_float(dtype, 1e30F, false), cases[i].inf);
    }
}
END_TEST

START_TEST(e8m0_rounds_as_asked) {
    static const struct {
        float x;
        uint8_t up, down, nearest;
    } cases[] = {{1, 127, 127, 127},     {1.25F, 128, 127, 127}, {1.5F, 128, 127, 128},
                 {1.75F, 128, 127, 128}, {0.75F, 127, 126, 127}, {0x1p-127F, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_uint_eq(oq_e8m0_from_float(cases[i].x, false, OQ_E8M0_UP), cases[i].up);
        ck_assert_uint_eq(oq_e8m0_from_float(cases[i].x, false, OQ_E8M0_DOWN), cases[i].down);
        ck_assert_uint_eq(oq_e8m0_from_float(cases[i].x, false, OQ_E8M0_NEAREST), cases[i].nearest);
    }
    ck_assert_uint_eq(oq_e8m0_from_float(3e38F, true, OQ_E8M0_UP), 0xfe);
    ck_assert_uint_eq(oq_e8m0_from_float(3e38F, false, OQ_E8M0_UP), 0xff);
    ck_assert_uint_eq(oq_e8m0_from_float(INFINITY, true, OQ_E8M0_UP), 0xfe);
    ck_assert_uint_eq(oq_e8m0_from_float(NAN, true, OQ_E8M0_UP), 0xff);
    ck_assert_uint_eq(oq_e8m0_from_float(0, true, OQ_E8M0_UP), 0);
    ck_assert_uint_eq(oq_e8m0_from_float(0, false, OQ_E8M0_NEAREST), 0xff);
    for (int code = 0; code < 255; code++)
        ck_assert_uint_eq(
            oq_e8m0_from_float(oq_small_float_to_float(ONNXQ_FLOAT8E8M0, (uint8_t)code), false, OQ_E8M0_UP),
            (unsigned)code);
}
END_TEST

START_TEST(halves_are_exact_both_ways) {
    for (uint32_t code = 0; code < 65536; code++) {
        const float x = oq_half_to_float((uint16_t)code);
        if (isnan(x)) {
            ck_assert_uint_eq(code & 0x7c00, 0x7c00);
            ck_assert(isnan(oq_half_to_float(oq_half_from_float(x))));
            continue;
        }
        const int exponent = (int)(code >> 10 & 31);
        const double fraction = (double)(code & 0x3ff);
        double wanted = exponent == 31 ? INFINITY
                        : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                       : ldexp(fraction, -24);
        if (code & 0x8000) wanted = -wanted;
        ck_assert((double)x == wanted && (signbit(x) != 0) == (code >> 15 != 0));
        ck_assert_uint_eq(oq_half_from_float(x), code);
        ck_assert_uint_eq(oq_half_from_double((double)x), code);
    }
}
END_TEST

// Between neighbouring halves: the tie goes to the even one, the double next to it to the nearer one. A
// double that lies off the tie by less than float32 can tell shows a second rounding.
START_TEST(halves_round_once) {
    for (uint32_t code = 0; code < 0x7c00; code++) {
        const double a = (double)oq_half_to_float((uint16_t)code);
        const double b = code == 0x7bff ? 65536 : (double)oq_half_to_float((uint16_t)(code + 1));
        const double tie = (a + b) / 2;
        const uint32_t even = code + (code & 1);
        ck_assert_uint_eq(oq_half_from_double(tie), even);
        ck_assert_uint_eq(oq_half_from_float((float)tie), even);
        ck_assert_uint_eq(oq_half_from_double(nextafter(tie, INFINITY)), code + 1);
        ck_assert_uint_eq(oq_half_from_double(nextafter(tie, 0)), code);
        ck_assert_uint_eq(oq_half_from_double(-nextafter(tie, INFINITY)), (code + 1) | 0x8000);
    }
    ck_assert_uint_eq(oq_half_from_double(1e300), 0x7c00);
    ck_assert_uint_eq(oq_half_from_double(-1e-300), 0x8000);
    ck_assert_uint_eq(oq_half_from_double(65519.999), 0x7bff);
}
END_TEST

START_TEST(bfloat16_rounds_once) {
    for (uint32_t code = 0; code < 0x7f80; code += 3) {
        const double a = (double)oq_bfloat16_to_float((uint16_t)code);
        const double b = code == 0x7f7f ? 0x1p128 : (double)oq_bfloat16_to_float((uint16_t)(code + 1));
        const double tie = (a + b) / 2;
        const uint32_t even = code + (code & 1);
        ck_assert_uint_eq(oq_bfloat16_from_double(tie), even);
        ck_assert_uint_eq(oq_bfloat16_from_double(nextafter(tie, INFINITY)), code + 1);
        ck_assert_uint_eq(oq_bfloat16_from_double(nextafter(tie, 0)), code);
        ck_assert_uint_eq(oq_bfloat16_from_float((float)tie), even);
        ck_assert_uint_eq(oq_bfloat16_from_float((float)a), code);
    }
    ck_assert(isnan(oq_bfloat16_to_float(oq_bfloat16_from_float(NAN))));
    ck_assert(isnan(oq_bfloat16_to_float(oq_bfloat16_from_float(float_of(0x7f800001)))));
    ck_assert_uint_eq(oq_bfloat16_from_float(-INFINITY), 0xff80);
}
END_TEST

// What a type holds comes back through each working type that is wide enough, for more than one block.
START_TEST(loads_and_stores_are_inverse) {
    enum { COUNT = 600 };
    const oq_dtype dtype = (oq_dtype)_i;
    const oq_dtype_traits *info = oq_dtype_info(dtype);
    if (info->work == OQ_WORK_NONE) return;
    _Alignas(8) unsigned char from[COUNT * 8] = {0};
    _Alignas(8) unsigned char back[COUNT * 8] = {0};
    int64_t integers[COUNT];
    uint64_t state = 9;
    for (int i = 0; i < COUNT; i++)
        integers[i] = (int64_t)((uint64_t)random_bits(&state) << 32 | random_bits(&state));
    float floats[COUNT];
    double doubles[COUNT];
    uint64_t naturals[COUNT];
    if (info->is_float)
        for (int i = 0; i < COUNT; i++) doubles[i] = (double)(int32_t)random_bits(&state) * 0x1p-28;
    if (info->is_float)
        oq_store_f64(dtype, doubles, from, COUNT);
    else
        oq_store_i64(dtype, integers, from, COUNT);
    const size_t bytes = COUNT * info->bytes;
    oq_load_f64(dtype, from, doubles, COUNT);
    oq_store_f64(dtype, doubles, back, COUNT);
    if (info->bits < 64 || info->is_float) ck_assert_mem_eq(back, from, bytes);
    oq_load_f32(dtype, from, floats, COUNT);
    oq_store_f32(dtype, floats, back, COUNT);
    if (info->bits < 32 || dtype == ONNXQ_FLOAT) ck_assert_mem_eq(back, from, bytes);
    if (info->is_float) return;
    oq_load_i64(dtype, from, integers, COUNT);
    oq_store_i64(dtype, integers, back, COUNT);
    ck_assert_mem_eq(back, from, bytes);
    oq_load_u64(dtype, from, naturals, COUNT);
    oq_store_u64(dtype, naturals, back, COUNT);
    ck_assert_mem_eq(back, from, bytes);
    for (int i = 0; i < COUNT && info->is_integer && dtype != ONNXQ_UINT64; i++)
        ck_assert(integers[i] >= info->min && (integers[i] < 0 || (uint64_t)integers[i] <= info->max));
}
END_TEST

START_TEST(stores_into_integers) {
    const float x[] = {1.9F, -1.9F, 300, -129, NAN, 1e30F, -1e30F};
    int8_t s8[7];
    oq_store_f32(ONNXQ_INT8, x, s8, 7);
    const int8_t wanted[] = {1, -1, 44, 127, 0, -1, 0}; // cut off, wrapped; beyond 64 bits saturated first
    ck_assert_mem_eq(s8, wanted, 7);
    uint64_t u64[7];
    oq_store_f32(ONNXQ_UINT64, x, u64, 7);
    ck_assert(u64[0] == 1 && u64[1] == UINT64_MAX && u64[5] == UINT64_MAX);
    uint8_t truth[7];
    oq_store_f32(ONNXQ_BOOL, (const float[]){0, -0.0F, 0.5F, NAN, 2}, truth, 5);
    ck_assert(!truth[0] && !truth[1] && truth[2] == 1 && truth[3] == 1 && truth[4] == 1);
    int8_t s4[3];
    oq_store_i64(ONNXQ_INT4, (const int64_t[]){7, 8, -9}, s4, 3);
    ck_assert(s4[0] == 7 && s4[1] == -8 && s4[2] == 7);
}
END_TEST

START_TEST(integers_to_narrow_floats_round_once) {
    // 2^53 + 1 is no double; between two bfloat16 values just above the tie it must not fall back onto it.
    const int64_t tie = INT64_C(257) << 54; // halfway between 256 and 258 times 2^54
    uint16_t codes[3];
    oq_store_i64(ONNXQ_BFLOAT16, (const int64_t[]){tie, tie + 1, tie - 1}, codes, 3);
    ck_assert(oq_bfloat16_to_float(codes[0]) == 0x1p62F);
    ck_assert(oq_bfloat16_to_float(codes[1]) == 129 * 0x1p55F);
    ck_assert(oq_bfloat16_to_float(codes[2]) == 0x1p62F);
    oq_store_u64(ONNXQ_BFLOAT16, (const uint64_t[]){(uint64_t)tie + 1}, codes, 1);
    ck_assert(oq_bfloat16_to_float(codes[0]) == 129 * 0x1p55F);
}
END_TEST

START_TEST(packing_is_low_bits_first_and_inverse) {
    const uint8_t four[] = {0x21, 0x43, 0x05};
    uint8_t elements[64];
    oq_unpack(ONNXQ_UINT4, four, elements, 5);
    for (uint8_t i = 0; i < 5; i++) ck_assert_uint_eq(elements[i], i + 1U);
    oq_unpack(ONNXQ_INT4, (const uint8_t[]){0x8f}, elements, 2);
    ck_assert_int_eq((int8_t)elements[0], -1);
    ck_assert_int_eq((int8_t)elements[1], -8);
    oq_unpack(ONNXQ_UINT2, (const uint8_t[]){0xe4}, elements, 4);
    for (uint8_t i = 0; i < 4; i++) ck_assert_uint_eq(elements[i], i);
    static const oq_dtype dtypes[] = {ONNXQ_UINT4,      ONNXQ_INT4,       ONNXQ_UINT2,     ONNXQ_INT2,
                                      ONNXQ_FLOAT4E2M1, ONNXQ_FLOAT6E2M3, ONNXQ_FLOAT6E3M2};
    uint64_t state = 5;
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        const unsigned bits = oq_dtype_info(dtypes[d])->bits;
        for (size_t count = 0; count <= 33; count++) {
            uint8_t packed[40];
            uint8_t again[40];
            const size_t bytes = oq_packed_bytes(dtypes[d], count);
            ck_assert_uint_eq(bytes, (count * bits + 7) / 8);
            for (size_t i = 0; i < bytes; i++) packed[i] = (uint8_t)random_bits(&state);
            if (count * bits % 8) packed[bytes - 1] &= (uint8_t)((1U << count * bits % 8) - 1); // unused bits
            oq_unpack(dtypes[d], packed, elements, count);
            oq_pack(dtypes[d], elements, again, count);
            ck_assert_mem_eq(packed, again, bytes);
        }
    }
    ck_assert_uint_eq(oq_packed_bytes(ONNXQ_DOUBLE, SIZE_MAX), SIZE_MAX);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tensor dtype");
    TCase *tcase = tcase_create("dtype");
    tcase_add_test(tcase, table_agrees_with_the_public_list);
    tcase_add_test(tcase, landmarks_of_small_floats);
    tcase_add_loop_test(tcase, small_floats_round_to_nearest_even, 0, SMALL_FLOATS);
    tcase_add_loop_test(tcase, codes_survive_the_way_through_float, 0, SMALL_FLOATS);
    tcase_add_test(tcase, special_values);
    tcase_add_test(tcase, e8m0_rounds_as_asked);
    tcase_add_test(tcase, halves_are_exact_both_ways);
    tcase_add_test(tcase, halves_round_once);
    tcase_add_test(tcase, bfloat16_rounds_once);
    tcase_add_loop_test(tcase, loads_and_stores_are_inverse, 1, ONNXQ_DTYPE_COUNT);
    tcase_add_test(tcase, stores_into_integers);
    tcase_add_test(tcase, integers_to_narrow_floats_round_once);
    tcase_add_test(tcase, packing_is_low_bits_first_and_inverse);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
