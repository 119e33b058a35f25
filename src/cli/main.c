// The command: picks the subcommand, parses, runs, and turns the status into the exit status.
#include "cli/command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

extern const command convert_command, calibrate_command, merge_command, sensitivity_command, sweep_command,
    verify_command, run_command, inspect_command, tensor_command, ops_command, help_subcommand;

const command *const commands[] = {&convert_command,     &calibrate_command, &merge_command,
                                   &sensitivity_command, &sweep_command,     &verify_command,
                                   &run_command,         &inspect_command,   &tensor_command,
                                   &ops_command,         &help_subcommand,   NULL};

static int fail(const onnxq_error *err) {
    terminal_error(err);
    return onnxq_status_exit(err->status);
}

static int unknown_command(const char *name) {
    const char *names[32];
    size_t count = 0;
    for (; commands[count]; count++) names[count] = commands[count]->name;
    const char *near = onnxq_nearest_word(name, names, count);
    onnxq_error err = {.status = ONNXQ_USAGE};
    if (near)
        snprintf(err.message, sizeof err.message, "unknown command '%s'; did you mean '%s'?", name, near);
    else
        snprintf(err.message, sizeof err.message, "unknown command '%s'; 'onnxq --help' lists the commands",
                 name);
    return fail(&err);
}

static int run(const command *c, int argc, char **argv) {
    onnxq_error err = {0};
    size_t positional = 0;
    void *values = calloc(1, c->values_size);
    if (!values) {
        err.status = ONNXQ_NO_MEMORY;
        return fail(&err);
    }
    if (c->defaults) c->defaults(values);
    onnxq_status status = command_parse(c, argc, argv, values, &positional, &err);
    if (status == ONNXQ_OK && ((common_values *)values)->help)
        help_command(stdout, c);
    else if (status == ONNXQ_OK)
        status = c->run(values, argv, positional, &err);
    command_release(c, values);
    terminal_end();
    if (status == ONNXQ_OK && (fflush(stdout) || ferror(stdout))) {
        status = err.status = ONNXQ_IO;
        snprintf(err.message, sizeof err.message,
                 "cannot write to standard output: is the disk full, or the pipe closed?");
    }
    if (status == ONNXQ_OK) return 0;
    err.status = status;
    return fail(&err);
}

int main(int argc, char **argv) {
    signal(SIGXFSZ, SIG_IGN); // a file that grows over a limit is an error of writing, with a sentence
    if (argc < 2) {
        help_overview(stderr);
        return onnxq_status_exit(ONNXQ_USAGE);
    }
    if (!strcmp(argv[1], "--version")) {
        printf("onnxq %s\n", onnxq_version());
        return 0;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        help_overview(stdout);
        return 0;
    }
    const command *c = command_find(argv[1]);
    return c ? run(c, argc - 2, argv + 2) : unknown_command(argv[1]);
}
