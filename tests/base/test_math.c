// Elementary functions against double precision over all exponents: error in ulps, special values, laws.
#include "base/math.h"

#include "support/support.h"

#include <math.h>
#include <string.h>

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Distance of `got` from the exact `want` in units of the last place of a float32 of that size.
static double ulps(float got, double want) {
    const float rounded = (float)want;
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0.0 : INFINITY;
    if (isinf(rounded) || isinf(got))
        return rounded == got ? 0.0 : isinf(got) && fabs(want) > 0x1.fffffp127 ? 1.0 : INFINITY;
    int exponent;
    (void)frexp(want, &exponent);
    const double unit = ldexp(1.0, exponent - 24 < -149 ? -149 : exponent - 24);
    return fabs((double)got - want) / unit;
}

typedef struct function {
    const char *name;
    float (*ours)(float);
    double (*exact)(double);
    double limit; // ulps
} function;

static double exact_sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

static const function functions[] = {
    {"exp", oq_expf, exp, 1.0},
    {"log", oq_logf, log, 1.0},
    {"tanh", oq_tanhf, tanh, 2.0},
    {"erf", oq_erff, erf, 2.0},
    {"sigmoid", oq_sigmoidf, exact_sigmoid, 2.5},
};

START_TEST(error_stays_within_the_limit) {
    const function *f = &functions[_i];
    double worst = 0.0;
    float where = 0.0f;
    for (uint64_t bits = (uint64_t)_i; bits < 1ull << 32;
         bits += 5741) { // every exponent, both signs, all mantissa regions
        const float x = from_bits((uint32_t)bits);
        const double error = ulps(f->ours(x), f->exact((double)x));
        if (!(error <= worst)) worst = error, where = x;
    }
    ck_assert_msg(worst <= f->limit, "%s(%a) is off by %.3f ulp", f->name, (double)where, worst);
}
END_TEST

START_TEST(special_values) {
    ck_assert(oq_expf(0.0f) == 1.0f && oq_expf(-0.0f) == 1.0f);
    ck_assert(oq_expf(INFINITY) == INFINITY && oq_expf(-INFINITY) == 0.0f && isnan(oq_expf(NAN)));
    ck_assert(oq_expf(89.0f) == INFINITY && oq_expf(-104.0f) == 0.0f && oq_expf(-103.0f) > 0.0f);
    ck_assert(oq_logf(1.0f) == 0.0f && !signbit(oq_logf(1.0f)));
    ck_assert(oq_logf(0.0f) == -INFINITY && oq_logf(-0.0f) == -INFINITY && oq_logf(INFINITY) == INFINITY);
    ck_assert(isnan(oq_logf(-1.0f)) && isnan(oq_logf(-INFINITY)) && isnan(oq_logf(NAN)) &&
              isnan(oq_logf(-0x1p-149f)));
    for (int sign = -1; sign <= 1; sign += 2) {
        const float s = (float)sign;
        ck_assert(oq_tanhf(s * INFINITY) == s && oq_erff(s * INFINITY) == s && oq_tanhf(s * 20.0f) == s);
        ck_assert(signbit(oq_tanhf(s * 0.0f)) == signbit(s * 0.0f) && oq_tanhf(s * 0.0f) == 0.0f);
        ck_assert(signbit(oq_erff(s * 0.0f)) == signbit(s * 0.0f) && oq_erff(s * 0.0f) == 0.0f);
    }
    ck_assert(oq_sigmoidf(0.0f) == 0.5f && oq_sigmoidf(INFINITY) == 1.0f && oq_sigmoidf(-INFINITY) == 0.0f);
    ck_assert(isnan(oq_tanhf(NAN)) && isnan(oq_erff(NAN)) && isnan(oq_sigmoidf(NAN)));
}
END_TEST

START_TEST(odd_and_monotone) {
    float before[4] = {-INFINITY, -2.0f, -2.0f, -1.0f}, uneven = 0.0f, falls = 0.0f;
    for (int i = -200000; i <= 200000; i++) {
        const float x = (float)i * 0x1p-14f;
        const float now[4] = {oq_expf(x), oq_tanhf(x), oq_erff(x), oq_sigmoidf(x)};
        if (oq_tanhf(-x) != -now[1] || oq_erff(-x) != -now[2]) uneven = x;
        for (int f = 0; f < 4; f++) // each is monotone up to its error
            if (!(now[f] >= before[f] - 2.0f * 0x1p-23f * fabsf(before[f]))) falls = x;
        memcpy(before, now, sizeof now);
    }
    ck_assert_msg(uneven == 0.0f, "not odd at %a", (double)uneven);
    ck_assert_msg(falls == 0.0f, "not monotone at %a", (double)falls);
}
END_TEST

START_TEST(pow_is_within_two_ulps) {
    uint64_t seed = 7;
    double worst = 0.0;
    float where[2] = {0.0f, 0.0f};
    for (int i = 0; i < 300000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const float x = from_bits((uint32_t)(seed >> 33)); // positive
        const float y =
            i % 3 ? ldexpf((float)(int32_t)(seed >> 20), -31 + i % 9) : (float)((int)(seed >> 40) % 9 - 4);
        const double error = ulps(oq_powf(x, y), pow((double)x, (double)y));
        if (!(error <= worst)) worst = error, where[0] = x, where[1] = y;
    }
    ck_assert_msg(worst <= 2.0, "pow(%a, %a) is off by %.3f ulp", (double)where[0], (double)where[1], worst);
}
END_TEST

START_TEST(pow_has_the_special_cases_of_the_standard) {
    const float values[] = {0.0f,        -0.0f,       1.0f,     -1.0f,     0.5f,  -0.5f,     2.0f,
                            -2.0f,       3.0f,        -3.0f,    2.5f,      -2.5f, 1e30f,     -1e30f,
                            16777216.0f, 16777217.0f, INFINITY, -INFINITY, NAN,   0x1p-149f, -0x1p-149f};
    const size_t count = sizeof values / sizeof *values;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            const float got = oq_powf(values[i], values[j]),
                        want = (float)pow((double)values[i], (double)values[j]);
            ck_assert_msg((isnan(got) && isnan(want)) || (got == want && signbit(got) == signbit(want)),
                          "pow(%a, %a) = %a, not %a", (double)values[i], (double)values[j], (double)got,
                          (double)want);
        }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base/math");
    TCase *tcase = tcase_create("math");
    tcase_add_loop_test(tcase, error_stays_within_the_limit, 0, (int)(sizeof functions / sizeof *functions));
    tcase_add_test(tcase, special_values);
    tcase_add_test(tcase, odd_and_monotone);
    tcase_add_test(tcase, pow_is_within_two_ulps);
    tcase_add_test(tcase, pow_has_the_special_cases_of_the_standard);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
