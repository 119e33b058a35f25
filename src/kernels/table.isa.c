// The table of the instruction set that this file is compiled for.
#include "kernels/table.h"
#include "kernels/block.h"

const oq_kernel_table OQ_FN(kernels) = {
#if defined(OQ_ISA_IS_avx512)
    .isa = OQ_ISA_AVX512,
#elif defined(OQ_ISA_IS_avx2)
    .isa = OQ_ISA_AVX2,
#else
    .isa = OQ_ISA_PLAIN,
#endif
    .row_step = OQ_MR,
    .column_step = OQ_NR,
#define OQ_ENTRY(type, name, parameters) .name = OQ_FN(name),
    OQ_KERNEL_LIST(OQ_ENTRY)
#undef OQ_ENTRY
};
