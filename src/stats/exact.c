// Exact sums of doubles: a wide integer in 32-bit digits with room for carries, so that adding and merging
// commute.
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>

enum { LIMBS = 40, DIGIT = 32, OFFSET = 640 }; // limb k holds multiples of 2^(32 k - 640)

void oq_exact_sum_normalize(oq_exact_sum *sum) {
    int64_t carry = 0;
    for (int k = 0; k < LIMBS - 1; k++) {
        const int64_t value = sum->limb[k] + carry;
        carry = value >> DIGIT;
        sum->limb[k] = value & 0xffffffff;
    }
    sum->limb[LIMBS - 1] += carry; // the sign is in the top digit
}

void oq_exact_sum_add(oq_exact_sum *sum, double value) {
    if (value == 0 || !isfinite(value)) return;
    int exponent;
    const double fraction = frexp(value, &exponent);       // value = fraction * 2^exponent
    const int64_t mantissa = (int64_t)ldexp(fraction, 53); // 53 bits and a sign
    const int position = exponent - 53 + OFFSET;           // of the lowest bit of the mantissa
    if (position < 0 || position / DIGIT + 2 >= LIMBS) return;
    const int limb = position / DIGIT, shift = position % DIGIT;
    const uint64_t magnitude = (uint64_t)(mantissa < 0 ? -mantissa : mantissa);
    const int64_t sign = mantissa < 0 ? -1 : 1;
    const uint64_t low = magnitude << shift, high = shift ? magnitude >> (64 - shift) : 0;
    sum->limb[limb] += sign * (int64_t)(low & 0xffffffff);
    sum->limb[limb + 1] += sign * (int64_t)(low >> DIGIT);
    sum->limb[limb + 2] += sign * (int64_t)high;
    // Each limb takes 2^31 additions of 32-bit digits; normalising when one comes near keeps the sum exact
    // for ever.
    if (llabs(sum->limb[limb]) > INT64_MAX / 4 || llabs(sum->limb[limb + 1]) > INT64_MAX / 4)
        oq_exact_sum_normalize(sum);
}

void oq_exact_sum_merge(oq_exact_sum *into, const oq_exact_sum *other) {
    oq_exact_sum more = *other;
    oq_exact_sum_normalize(&more);
    oq_exact_sum_normalize(into);
    for (int k = 0; k < LIMBS; k++) into->limb[k] += more.limb[k];
    oq_exact_sum_normalize(into);
}

double oq_exact_sum_get(const oq_exact_sum *sum) {
    oq_exact_sum s = *sum;
    oq_exact_sum_normalize(&s);
    const bool negative = s.limb[LIMBS - 1] < 0;
    if (negative) {
        for (int k = 0; k < LIMBS; k++) s.limb[k] = -s.limb[k];
        oq_exact_sum_normalize(&s);
    }
    int top = LIMBS - 1;
    while (top > 0 && !s.limb[top]) top--;
    // The top three limbs hold 65 to 96 bits: 64 of them and one sticky bit for all below are rounded once
    // to 53.
    unsigned __int128 bits = 0;
    for (int k = top; k > top - 3; k--) bits = bits << DIGIT | (k >= 0 ? (uint64_t)s.limb[k] : 0);
    int drop = 0;
    bool sticky = false;
    for (; bits >> 64; drop++) {
        sticky |= (bool)(bits & 1);
        bits >>= 1;
    }
    for (int k = 0; k < top - 2; k++) sticky |= s.limb[k] != 0;
    const double value = ldexp((double)((uint64_t)bits | sticky), (top - 2) * DIGIT + drop - OFFSET);
    return negative ? -value : value;
}
