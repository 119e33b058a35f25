// Which instruction set the kernels run on; chosen once, forced by the environment variable ONNXQ_ISA.
#ifndef OQ_KERNELS_ISA_H
#define OQ_KERNELS_ISA_H

// Every kernel file is compiled once per instruction set with a suffix and dispatches through a table of
// these.
typedef enum oq_isa { OQ_ISA_PLAIN, OQ_ISA_AVX2, OQ_ISA_AVX512 } oq_isa; // AVX512: F, BW, DQ, VL and VNNI

// Best one that this machine has, or what ONNXQ_ISA (plain, avx2, avx512) asks for when the machine has it.
oq_isa oq_isa_best(void);
const char *oq_isa_name(oq_isa isa);

#endif
