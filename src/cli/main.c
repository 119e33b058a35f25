// The command: picks the subcommand.
#include "onnxq/onnxq.h"

#include <stdio.h>

int main(void) {
    printf("onnxq %s\n", onnxq_version());
    return 0;
}
