// Conversions between float32 and the narrow floats: float16, bfloat16, float8, float6, float4.
#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// 2^exponent for -149 <= exponent <= 127.
static float power_of_two(int exponent) {
    if (exponent < -126) return from_bits(UINT32_C(1) << (exponent + 149));
    return from_bits((uint32_t)(exponent + 127) << 23);
}

float oq_half_to_float(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 31;
    const uint32_t mantissa = half & 0x3ff;
    if (exponent == 31) return from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent) return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    const float magnitude = (float)mantissa * power_of_two(-24); // exact
    return from_bits(sign | bits_of(magnitude));
}

// Rounds the low `drop` bits of `bits` away to nearest even.
static uint32_t shift_round(uint32_t bits, unsigned drop) {
    const uint32_t half = UINT32_C(1) << (drop - 1);
    const uint32_t odd = bits >> drop & 1;
    return (bits + half - 1 + odd) >> drop;
}

uint16_t oq_half_from_float(float value) {
    const uint32_t bits = bits_of(value);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); // 65520 and above round to infinity
    if (magnitude >= 0x38800000) // normal: 2^-14 and above; a carry runs on into the exponent
        return (uint16_t)(sign | shift_round(magnitude - (UINT32_C(112) << 23), 13));
    if (magnitude < 0x33000000) return sign; // below 2^-25: zero
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | shift_round(mantissa, 126 - (magnitude >> 23)));
}

float oq_float_to_odd(double value) {
    const float rounded = (float)value;
    if ((double)rounded == value || isnan(value)) return rounded;
    uint32_t bits = bits_of(rounded);
    if (fabs((double)rounded) > fabs(value)) bits--; // towards zero; infinity becomes the largest number
    return from_bits(bits | 1);
}

uint16_t oq_half_from_double(double value) { return oq_half_from_float(oq_float_to_odd(value)); }

uint16_t oq_bfloat16_from_double(double value) { return oq_bfloat16_from_float(oq_float_to_odd(value)); }

float oq_bfloat16_to_float(uint16_t value) { return from_bits((uint32_t)value << 16); }

uint16_t oq_bfloat16_from_float(float value) {
    const uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40); // NaN stays, quiet
    return (uint16_t)shift_round(bits, 16);
}

// What a narrow float does with its topmost codes.
typedef enum special_codes {
    NOT_SMALL,
    FINITE,       // all codes are numbers
    ONE_NAN,      // FN: all ones is NaN
    NAN_INF,      // IEEE: the largest exponent holds infinity and NaNs
    UNSIGNED_ZERO // FNUZ: the code of -0 is the only NaN
} special_codes;

typedef struct small_format {
    int exponent_bits, mantissa_bits, bias;
    special_codes special;
    uint8_t largest; // code of the largest finite magnitude
} small_format;

static const small_format formats[ONNXQ_DTYPE_COUNT] = {
    [ONNXQ_FLOAT8E4M3FN] = {4, 3, 7, ONE_NAN, 0x7e}, [ONNXQ_FLOAT8E4M3FNUZ] = {4, 3, 8, UNSIGNED_ZERO, 0x7f},
    [ONNXQ_FLOAT8E5M2] = {5, 2, 15, NAN_INF, 0x7b},  [ONNXQ_FLOAT8E5M2FNUZ] = {5, 2, 16, UNSIGNED_ZERO, 0x7f},
    [ONNXQ_FLOAT6E2M3] = {2, 3, 1, FINITE, 0x1f},    [ONNXQ_FLOAT6E3M2] = {3, 2, 3, FINITE, 0x1f},
    [ONNXQ_FLOAT4E2M1] = {2, 1, 1, FINITE, 0x07},
};

static const small_format *format_of(oq_dtype dtype) {
    const unsigned number = (unsigned)dtype;
    return &formats[number < ONNXQ_DTYPE_COUNT ? number : ONNXQ_UNDEFINED];
}

static float e8m0_to_float(uint8_t code) { return code == 0xff ? NAN : power_of_two((int)code - 127); }

float oq_small_float_to_float(oq_dtype dtype, uint8_t value) {
    if (dtype == ONNXQ_FLOAT8E8M0) return e8m0_to_float(value);
    const small_format *format = format_of(dtype);
    const int sign_bit = format->exponent_bits + format->mantissa_bits;
    const unsigned magnitude = value & ((1U << sign_bit) - 1);
    const bool negative = value >> sign_bit & 1;
    if (format->special == UNSIGNED_ZERO && negative && !magnitude) return NAN;
    if (magnitude > format->largest) {
        const bool infinite = format->special == NAN_INF && magnitude == format->largest + 1U;
        return copysignf(infinite ? INFINITY : NAN, negative ? -1.0F : 1.0F);
    }
    const unsigned fraction = magnitude & ((1U << format->mantissa_bits) - 1);
    const int exponent = (int)(magnitude >> format->mantissa_bits);
    const unsigned leading = exponent ? 1U << format->mantissa_bits : 0;
    const int scale = (exponent ? exponent : 1) - format->bias - format->mantissa_bits;
    const float result = (float)(leading | fraction) * power_of_two(scale); // exact
    return negative ? -result : result;
}

static uint8_t nan_code(const small_format *format, bool negative) {
    const int sign_bit = format->exponent_bits + format->mantissa_bits;
    const unsigned sign = (unsigned)negative << sign_bit;
    switch (format->special) {
    case ONE_NAN: return (uint8_t)(sign | 0x7f);
    case NAN_INF: return (uint8_t)(sign | 0x7e);
    case UNSIGNED_ZERO: return 0x80;
    default: return (uint8_t)((unsigned)!negative << sign_bit); // no NaN: -0, and 0 for -NaN, as ml_dtypes
    }
}

static uint8_t overflow_code(const small_format *format, bool negative, bool saturate) {
    if (!saturate && format->special != FINITE && format->special != NAN_INF)
        return nan_code(format, negative);
    const unsigned sign = (unsigned)negative << (format->exponent_bits + format->mantissa_bits);
    const unsigned infinity = format->special == NAN_INF && !saturate;
    return (uint8_t)(sign | (format->largest + infinity));
}

uint8_t oq_e8m0_from_float(float value, bool saturate, oq_e8m0_rounding rounding) {
    if (isnan(value)) return 0xff;
    const float magnitude = fabsf(value);
    const float least = power_of_two(-127);
    if (isinf(magnitude)) return saturate ? 0xfe : 0xff;
    if (magnitude < least) return saturate ? 0 : 0xff;
    int exponent; // magnitude = fraction * 2^exponent, fraction in [1, 2)
    const float fraction = frexpf(magnitude, &exponent) * 2;
    exponent += 126;
    const bool up = rounding == OQ_E8M0_UP ? fraction > 1 : rounding == OQ_E8M0_NEAREST && fraction >= 1.5F;
    exponent += up;
    if (exponent > 0xfe) return saturate ? 0xfe : 0xff;
    return (uint8_t)exponent;
}

uint8_t oq_small_float_from_float(oq_dtype dtype, float value, bool saturate) {
    if (dtype == ONNXQ_FLOAT8E8M0) return oq_e8m0_from_float(value, saturate, OQ_E8M0_UP);
    const small_format *format = format_of(dtype);
    const bool negative = signbit(value) != 0;
    if (isnan(value)) return nan_code(format, negative);
    const float magnitude = fabsf(value);
    if (isinf(magnitude)) return overflow_code(format, negative, saturate);
    // Exponent of the binade, not below that of the denormals; the step there is 2^(exponent - mantissa
    // bits).
    int exponent = (int)(bits_of(magnitude) >> 23) - 127;
    if (exponent < 1 - format->bias) exponent = 1 - format->bias;
    const double step = power_of_two(exponent - format->mantissa_bits);
    // Steps, rounded half to even; 2^(mantissa bits + 1) of them carry into the next binade by themselves.
    const double steps = nearbyint((double)magnitude / step);
    // Codes rise evenly inside a binade and from one to the next, so the code is a count of steps.
    const double code = steps + (double)((exponent - (1 - format->bias)) * (1 << format->mantissa_bits));
    if (code > format->largest) return overflow_code(format, negative, saturate);
    const unsigned sign = (unsigned)negative << (format->exponent_bits + format->mantissa_bits);
    if (format->special == UNSIGNED_ZERO && code == 0) return 0;
    return (uint8_t)(sign | (unsigned)code);
}
