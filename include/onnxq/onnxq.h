// onnxq: post-training quantization of ONNX models in C. The only public header.
//
// Section 1 (below) is what every part of the library shares: status, error, data types. The sections that
// follow go from simple to advanced: session, model, data, statistics, convert, verify, run, inspect, tensor.
//
// Conventions. Every function that can fail returns an onnxq_status and takes, as last parameter, an
// onnxq_error * that may be NULL. Objects are created by ..._new, _open, _load, _make and ended by ..._free,
// which accepts NULL. Strings are UTF-8. The library never prints, never exits, keeps no global state;
// objects may be used from any one thread at a time.
#ifndef ONNXQ_H
#define ONNXQ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONNXQ_VERSION_MAJOR 0
#define ONNXQ_VERSION_MINOR 1
#define ONNXQ_VERSION_PATCH 0

// ---------------------------------------------------------------------------------------------------------------------
// 1. Status, error, data types

// X(name, exit status of the command, meaning)
#define ONNXQ_STATUS_LIST(X)                                                                                 \
    X(OK, 0, "success")                                                                                      \
    X(NO_MEMORY, 1, "out of memory, or over the memory budget")                                              \
    X(IO, 1, "a file could not be read or written")                                                          \
    X(INTERNAL, 1, "a mistake of onnxq itself")                                                              \
    X(USAGE, 2, "wrong use of the command or of a function")                                                 \
    X(BAD_MODEL, 3, "the model is damaged or breaks the ONNX standard")                                      \
    X(BAD_DATA, 3, "the data do not fit the model, or are not numbers")                                      \
    X(UNSUPPORTED, 4, "the model is valid but needs something that onnxq does not have")                     \
    X(ACCURACY, 5, "the result is less accurate than was asked for")

typedef enum onnxq_status {
#define ONNXQ_STATUS_ENUM(name, exit, meaning) ONNXQ_##name,
    ONNXQ_STATUS_LIST(ONNXQ_STATUS_ENUM)
#undef ONNXQ_STATUS_ENUM
} onnxq_status;

// What went wrong, owned by the caller; zero-initialise before first use. Texts are NUL-terminated and cut at
// their size.
typedef struct onnxq_error {
    onnxq_status status;
    char message[768]; // one sentence that names the place and the remedy
    char file[256];    // the file concerned, or ""
    char node[256];    // the node concerned, or ""
    char op_type[64];  // its operator, or ""
    char tensor[256];  // the tensor concerned, or ""
    uint64_t offset;   // byte offset in `file` where known, else 0
} onnxq_error;

// ONNX's own numbers (TensorProto.DataType). X(NAME, number, bits per element, text)
#define ONNXQ_DTYPE_LIST(X)                                                                                  \
    X(FLOAT, 1, 32, "float32")                                                                               \
    X(UINT8, 2, 8, "uint8")                                                                                  \
    X(INT8, 3, 8, "int8")                                                                                    \
    X(UINT16, 4, 16, "uint16")                                                                               \
    X(INT16, 5, 16, "int16")                                                                                 \
    X(INT32, 6, 32, "int32")                                                                                 \
    X(INT64, 7, 64, "int64")                                                                                 \
    X(STRING, 8, 0, "string")                                                                                \
    X(BOOL, 9, 8, "bool")                                                                                    \
    X(FLOAT16, 10, 16, "float16")                                                                            \
    X(DOUBLE, 11, 64, "float64")                                                                             \
    X(UINT32, 12, 32, "uint32")                                                                              \
    X(UINT64, 13, 64, "uint64")                                                                              \
    X(COMPLEX64, 14, 64, "complex64")                                                                        \
    X(COMPLEX128, 15, 128, "complex128")                                                                     \
    X(BFLOAT16, 16, 16, "bfloat16")                                                                          \
    X(FLOAT8E4M3FN, 17, 8, "float8e4m3fn")                                                                   \
    X(FLOAT8E4M3FNUZ, 18, 8, "float8e4m3fnuz")                                                               \
    X(FLOAT8E5M2, 19, 8, "float8e5m2")                                                                       \
    X(FLOAT8E5M2FNUZ, 20, 8, "float8e5m2fnuz")                                                               \
    X(UINT4, 21, 4, "uint4")                                                                                 \
    X(INT4, 22, 4, "int4")                                                                                   \
    X(FLOAT4E2M1, 23, 4, "float4e2m1")                                                                       \
    X(FLOAT8E8M0, 24, 8, "float8e8m0")                                                                       \
    X(UINT2, 25, 2, "uint2")                                                                                 \
    X(INT2, 26, 2, "int2")                                                                                   \
    X(FLOAT6E2M3, 27, 6, "float6e2m3")                                                                       \
    X(FLOAT6E3M2, 28, 6, "float6e3m2")

typedef enum onnxq_dtype {
    ONNXQ_UNDEFINED = 0,
#define ONNXQ_DTYPE_ENUM(name, number, bits, text) ONNXQ_##name = (number),
    ONNXQ_DTYPE_LIST(ONNXQ_DTYPE_ENUM)
#undef ONNXQ_DTYPE_ENUM
        ONNXQ_DTYPE_COUNT = 29
} onnxq_dtype;

// "0.1.0"
const char *onnxq_version(void);
// The name of a status ("BAD_MODEL"), its meaning, and the exit status that the command gives for it.
const char *onnxq_status_name(onnxq_status status);
const char *onnxq_status_meaning(onnxq_status status);
int onnxq_status_exit(onnxq_status status);
// "float32", "int8", ...; "undefined" for other numbers.
const char *onnxq_dtype_name(onnxq_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif
