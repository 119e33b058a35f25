// Matrix products against naive sums, and the same bits from every instruction set and number of threads.
#include "kernels/gemm.h"

#include "kernels/tables.h"

typedef struct sizes {
    size_t m, n, k;
} sizes;

// Sizes around tiles and blocks of all instruction sets, 0 and 1 included.
static sizes random_sizes(int round) {
    static const sizes fixed[] = {{0, 3, 4},     {3, 0, 4},    {3, 4, 0},     {1, 1, 1},
                                  {1, 100, 300}, {2, 65, 257}, {6, 16, 1},    {14, 32, 5},
                                  {13, 33, 600}, {49, 17, 30}, {57, 70, 513}, {120, 40, 20}};
    if ((size_t)round < sizeof fixed / sizeof *fixed) return fixed[round];
    return (sizes){test_random_size(1, 60), test_random_size(1, 80), test_random_size(1, 70)};
}

static float *packed_f32(const float *b, size_t ldb, bool transposed, sizes s) {
    float *packed = test_block(oq_gemm_f32_packed_bytes(s.k, s.n));
    oq_gemm_f32_pack(b, ldb, transposed, s.k, s.n, packed);
    return packed;
}

START_TEST(f32_is_one_chain_everywhere) {
    const sizes s = random_sizes(_i);
    const bool a_transposed = test_random() & 1, b_transposed = test_random() & 1, biased = test_random() & 1;
    const size_t extra = test_random_size(0, 3), ldc = s.n + extra;
    const size_t lda = (a_transposed ? s.m : s.k) + extra, ldb = (b_transposed ? s.k : s.n) + extra;
    float *a = test_block((a_transposed ? s.k : s.m) * lda * sizeof(float));
    float *b = test_block((b_transposed ? s.n : s.k) * ldb * sizeof(float));
    float *bias = test_block(s.n * sizeof(float)), *expected = test_block(s.m * ldc * sizeof(float));
    test_random_floats(a, (a_transposed ? s.k : s.m) * lda);
    test_random_floats(b, (b_transposed ? s.n : s.k) * ldb);
    test_random_floats(bias, s.n);
    memset(expected, 0x77, s.m * ldc * sizeof(float));
    const oq_epilogue epilogue = test_random() & 1 ? OQ_EPILOGUE_CLAMP : OQ_EPILOGUE_NONE;
    for (size_t i = 0; i < s.m; i++)
        for (size_t j = 0; j < s.n; j++) {
            float sum = 0.0f;
            for (size_t k = 0; k < s.k; k++)
                sum = fmaf(a_transposed ? a[k * lda + i] : a[i * lda + k],
                           b_transposed ? b[j * ldb + k] : b[k * ldb + j], sum);
            if (biased) sum += bias[j];
            if (epilogue == OQ_EPILOGUE_CLAMP) sum = sum < -0.5f ? -0.5f : sum > 2.0f ? 2.0f : sum;
            expected[i * ldc + j] = sum;
        }
    const oq_kernel_table *tables[4];
    oq_mem mem = {0};
    oq_error err = {0};
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (size_t threads = 1; threads <= 3; threads += 2) {
            oq_pool *pool = NULL;
            CK_OK(oq_pool_new(&mem, threads, &pool, &err), &err);
            oq_kernels_use(tables[t]);
            float *packed = packed_f32(b, ldb, b_transposed, s), *c = test_block(s.m * ldc * sizeof(float));
            memset(c, 0x77, s.m * ldc * sizeof(float));
            const oq_gemm_f32 g = {s.m,
                                   s.n,
                                   s.k,
                                   a,
                                   a_transposed ? 1 : lda,
                                   a_transposed ? lda : 1,
                                   packed,
                                   c,
                                   ldc,
                                   biased ? bias : NULL,
                                   -0.5f,
                                   2.0f,
                                   epilogue,
                                   0,
                                   false,
                                   pool};
            oq_gemm_f32_run(&g);
            CK_SAME_BITS(c, expected, s.m * ldc * sizeof(float), "table %zu, %zu threads, %zu x %zu x %zu", t,
                         threads, s.m, s.n, s.k);
            test_free(packed);
            test_free(c);
            oq_pool_free(pool);
        }
    test_free(a), test_free(b), test_free(bias), test_free(expected);
}
END_TEST

// A random 8-bit product and its exact result.
typedef struct product_8 {
    sizes s;
    size_t lda, ldb, ldc;
    bool a_signed, b_signed, b_transposed, per_row, per_column;
    void *a, *b;
    int32_t *a_zero, *b_zero, *expected;
} product_8;

static int32_t random_zero(bool is_signed) {
    if (test_random() % 3 == 0) return 0;
    return is_signed ? (int32_t)(test_random() % 256) - 128 : (int32_t)(test_random() % 256);
}

static product_8 random_product(int round) {
    const uint32_t bits = test_random();
    product_8 p = {.s = random_sizes(round),
                   .a_signed = bits & 1,
                   .b_signed = bits & 2,
                   .b_transposed = bits & 4,
                   .per_row = bits & 8,
                   .per_column = bits & 16};
    const sizes s = p.s;
    p.lda = s.k + test_random() % 3, p.ldb = (p.b_transposed ? s.k : s.n) + test_random() % 3;
    p.ldc = s.n + test_random() % 3;
    p.a = test_block(s.m * p.lda), p.b = test_block((p.b_transposed ? s.n : s.k) * p.ldb);
    test_random_bytes(p.a, s.m * p.lda), test_random_bytes(p.b, (p.b_transposed ? s.n : s.k) * p.ldb);
    if (round % 3 == 0) { // the largest products there are: where vpmaddubsw would saturate
        memset(p.a, p.a_signed ? 0x80 : 0xff, s.m * p.lda);
        memset(p.b, p.b_signed ? 0x80 : 0xff, (p.b_transposed ? s.n : s.k) * p.ldb);
    }
    p.a_zero = test_block((s.m + 1) * sizeof(int32_t)), p.b_zero = test_block((s.n + 1) * sizeof(int32_t));
    for (size_t i = 0; i <= s.m; i++) p.a_zero[i] = random_zero(p.a_signed);
    for (size_t i = 0; i <= s.n; i++) p.b_zero[i] = random_zero(p.b_signed);
    p.expected = test_block(s.m * p.ldc * sizeof(int32_t));
    memset(p.expected, 0x77, s.m * p.ldc * sizeof(int32_t));
    for (size_t i = 0; i < s.m; i++)
        for (size_t j = 0; j < s.n; j++) {
            int64_t sum = 0;
            for (size_t k = 0; k < s.k; k++)
                sum += (int64_t)(test_byte(p.a, i * p.lda + k, p.a_signed) - p.a_zero[p.per_row ? i : 0]) *
                       (test_byte(p.b, p.b_transposed ? j * p.ldb + k : k * p.ldb + j, p.b_signed) -
                        p.b_zero[p.per_column ? j : 0]);
            p.expected[i * p.ldc + j] = (int32_t)sum;
        }
    return p;
}

static void free_product(product_8 *p) {
    test_free(p->a), test_free(p->b), test_free(p->a_zero), test_free(p->b_zero), test_free(p->expected);
}

START_TEST(integers_are_exact_everywhere) {
    product_8 p = random_product(_i);
    const size_t bytes = p.s.m * p.ldc * sizeof(int32_t);
    const oq_kernel_table *tables[4];
    oq_mem mem = {0};
    oq_error err = {0};
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (size_t threads = 1; threads <= 3; threads += 2) {
            oq_pool *pool = NULL;
            CK_OK(oq_pool_new(&mem, threads, &pool, &err), &err);
            oq_kernels_use(tables[t]);
            void *packed = test_block(oq_gemm_8_packed_bytes(p.s.k, p.s.n));
            oq_gemm_8_pack(p.b, p.b_signed, p.ldb, p.b_transposed, p.s.k, p.s.n, packed);
            int32_t *c = test_block(bytes);
            memset(c, 0x77, bytes);
            const oq_gemm_8 g = {p.s.m,      p.s.n,    p.s.k,     p.a,    p.lda,    p.a_signed,
                                 p.b_signed, p.a_zero, p.per_row, packed, p.b_zero, p.per_column,
                                 c,          p.ldc,    NULL,      pool};
            oq_gemm_8_run(&g);
            CK_SAME_BITS(c, p.expected, bytes, "table %zu, %zu threads, %zu x %zu x %zu, signs %d %d", t,
                         threads, p.s.m, p.s.n, p.s.k, p.a_signed, p.b_signed);
            test_free(packed), test_free(c);
            oq_pool_free(pool);
        }
    free_product(&p);
}
END_TEST

START_TEST(fused_requantization_equals_the_two_steps) {
    product_8 p = random_product(_i);
    const size_t count_c = p.s.m * p.ldc;
    float *multiplier = test_block((p.s.n + 1) * sizeof(float));
    int32_t *bias = test_block((p.s.n + 1) * sizeof(int32_t));
    for (size_t j = 0; j <= p.s.n; j++) {
        multiplier[j] = fabsf(test_random_float()) * 0.01f;
        bias[j] = (int32_t)(test_random() % 20001) - 10000;
    }
    const bool per_channel = test_random() & 1, biased = test_random() & 1, out_signed = test_random() & 1;
    const int32_t zero = random_zero(out_signed);
    uint8_t *expected = test_block(count_c);
    memset(expected, 0x55, count_c);
    oq_kernels_use(oq_kernels_of(OQ_ISA_PLAIN));
    for (size_t i = 0; i < p.s.m; i++)
        for (size_t j = 0; j < p.s.n; j++) {
            const int32_t sum = p.expected[i * p.ldc + j] + (biased ? bias[j] : 0);
            oq_rows_requantize_8(&sum, &multiplier[per_channel ? j : 0], 0, zero, out_signed,
                                 expected + i * p.ldc + j, 1);
        }
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++) {
        oq_kernels_use(tables[t]);
        void *packed = test_block(oq_gemm_8_packed_bytes(p.s.k, p.s.n));
        oq_gemm_8_pack(p.b, p.b_signed, p.ldb, p.b_transposed, p.s.k, p.s.n, packed);
        uint8_t *out = test_block(count_c);
        int32_t *c = test_block(count_c * sizeof(int32_t));
        memset(out, 0x55, count_c);
        const oq_requantize r = {biased ? bias : NULL, multiplier, per_channel, out_signed, zero, out};
        const oq_gemm_8 g = {p.s.m,      p.s.n,    p.s.k,     p.a,    p.lda,    p.a_signed,
                             p.b_signed, p.a_zero, p.per_row, packed, p.b_zero, p.per_column,
                             c,          p.ldc,    &r,        NULL};
        oq_gemm_8_run(&g);
        CK_SAME_BITS(out, expected, count_c, "table %zu, %zu x %zu x %zu", t, p.s.m, p.s.n, p.s.k);
        test_free(packed), test_free(c), test_free(out);
    }
    test_free(multiplier), test_free(bias), test_free(expected);
    free_product(&p);
}
END_TEST

START_TEST(special_values_travel) {
    const float a[2] = {0.0f, 1.0f}, b[4] = {INFINITY, 1.0f, 2.0f, -0.0f};
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++) {
        oq_kernels_use(tables[t]);
        float c[2], *packed = packed_f32(b, 2, false, (sizes){1, 2, 2});
        oq_gemm_f32_run(&(oq_gemm_f32){
            .m = 1, .n = 2, .k = 2, .a = a, .a_row = 2, .a_column = 1, .b = packed, .c = c, .ldc = 2});
        ck_assert(isnan(c[0])); // 0 * inf
        ck_assert(c[1] == 0.0f && !signbit(c[1]));
        test_free(packed);
    }
}
END_TEST

// Two halves along k, the second one added to the first, are the whole; columns that are skipped may be left
// alone, all others are there.
START_TEST(chains_go_on_and_columns_are_skipped) {
    sizes s = random_sizes(_i);
    s.k += 2;
    const size_t half = s.k / 2, skip = s.n / 3;
    float *a = test_block(s.m * s.k * sizeof(float)), *b = test_block(s.k * s.n * sizeof(float));
    float *whole = test_block(s.m * s.n * sizeof(float)), *c = test_block(s.m * s.n * sizeof(float));
    const oq_kernel_table *tables[4];
    test_random_floats(a, s.m * s.k);
    test_random_floats(b, s.k * s.n);
    for (size_t t = 0, count = test_tables(tables); t < count; t++) {
        oq_kernels_use(tables[t]);
        float *packed = packed_f32(b, s.n, false, s),
              *first = packed_f32(b, s.n, false, (sizes){s.m, s.n, half}),
              *second = packed_f32(b + half * s.n, s.n, false, (sizes){s.m, s.n, s.k - half});
        oq_gemm_f32 g = {.m = s.m, .n = s.n, .k = s.k, .a = a, .a_row = s.k, .a_column = 1, .ldc = s.n};
        g.b = packed, g.c = whole;
        oq_gemm_f32_run(&g);
        g.skip = skip, g.c = c;
        g.b = first, g.k = half;
        oq_gemm_f32_run(&g);
        g.a += half, g.b = second, g.k = s.k - half, g.add = true;
        oq_gemm_f32_run(&g);
        for (size_t i = 0; i < s.m; i++)
            CK_SAME_BITS(c + i * s.n + skip, whole + i * s.n + skip, (s.n - skip) * sizeof(float),
                         "table %zu, row %zu of %zu x %zu x %zu", t, i, s.m, s.n, s.k);
        test_free(packed), test_free(first), test_free(second);
    }
    test_free(a), test_free(b), test_free(whole), test_free(c);
}
END_TEST

START_TEST(impossible_sizes_are_told) {
    ck_assert_uint_eq(oq_gemm_f32_packed_bytes(SIZE_MAX / 8, 64), SIZE_MAX);
    ck_assert_uint_eq(oq_gemm_f32_packed_bytes(4, SIZE_MAX), SIZE_MAX);
    ck_assert_uint_eq(oq_gemm_8_packed_bytes(SIZE_MAX, 64), SIZE_MAX);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kernels/gemm");
    TCase *tcase = tcase_create("gemm");
    tcase_add_loop_test(tcase, f32_is_one_chain_everywhere, 0, 40);
    tcase_add_loop_test(tcase, integers_are_exact_everywhere, 0, 40);
    tcase_add_loop_test(tcase, fused_requantization_equals_the_two_steps, 0, 30);
    tcase_add_loop_test(tcase, chains_go_on_and_columns_are_skipped, 0, 30);
    tcase_add_test(tcase, special_values_travel);
    tcase_add_test(tcase, impossible_sizes_are_told);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
