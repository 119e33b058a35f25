// Which instruction set the kernels run on, and the table that goes with it.
#include "kernels/isa.h"

#include "kernels/table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern const oq_kernel_table oq_kernels_plain;
#if defined(__x86_64__)
extern const oq_kernel_table oq_kernels_avx2, oq_kernels_avx512;
#endif

static _Atomic(const oq_kernel_table *) current; // NULL: not chosen yet

const char *oq_isa_name(oq_isa isa) {
    static const char *const names[] = {
        [OQ_ISA_PLAIN] = "plain", [OQ_ISA_AVX2] = "avx2", [OQ_ISA_AVX512] = "avx512"};
    return names[isa];
}

const oq_kernel_table *oq_kernels_of(oq_isa isa) {
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == OQ_ISA_AVX2) return avx2 ? &oq_kernels_avx2 : NULL;
    if (isa == OQ_ISA_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                       __builtin_cpu_supports("avx512vnni")
                   ? &oq_kernels_avx512
                   : NULL;
#endif
    return isa == OQ_ISA_PLAIN ? &oq_kernels_plain : NULL;
}

oq_isa oq_isa_best(void) {
    const char *asked = getenv("ONNXQ_ISA");
    for (int isa = OQ_ISA_PLAIN; asked && isa <= OQ_ISA_AVX512; isa++)
        if (strcmp(asked, oq_isa_name((oq_isa)isa)) == 0 && oq_kernels_of((oq_isa)isa)) return (oq_isa)isa;
    for (int isa = OQ_ISA_AVX512; isa > OQ_ISA_PLAIN; isa--)
        if (oq_kernels_of((oq_isa)isa)) return (oq_isa)isa;
    return OQ_ISA_PLAIN;
}

const oq_kernel_table *oq_kernels(void) {
    const oq_kernel_table *table = atomic_load_explicit(&current, memory_order_acquire);
    if (table) return table;
    table = oq_kernels_of(oq_isa_best()); // every thread that comes first finds the same one
    atomic_store_explicit(&current, table, memory_order_release);
    return table;
}

void oq_kernels_use(const oq_kernel_table *table) {
    atomic_store_explicit(&current, table, memory_order_release);
}
