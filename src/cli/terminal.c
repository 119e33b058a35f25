// Talk on stderr: progress with remaining time, notes, errors.
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// The one piece of state of the command (not of the library): what is on the terminal's last line.
static struct {
    bool quiet, shows_progress, line_open;
    char stage[64];
    double begin, last;
} terminal;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void terminal_end(void) {
    if (terminal.line_open) fputs("\r\033[K", stderr);
    terminal.line_open = false;
}

// Only on a terminal, and only once the work has taken more than a second; ten times a second at most.
static void progress(void *self, const char *stage, size_t done, size_t total) {
    (void)self;
    if (!terminal.shows_progress || !total) return;
    const double time = now();
    if (strcmp(stage, terminal.stage) != 0) {
        snprintf(terminal.stage, sizeof terminal.stage, "%s", stage);
        terminal.begin = time;
    }
    const double elapsed = time - terminal.begin;
    if (done >= total) {
        terminal_end();
    } else if (elapsed > 1 && time - terminal.last > .1) {
        const double left = done ? elapsed * (double)(total - done) / (double)done : 0;
        fprintf(stderr, "\r\033[K%s %zu/%zu (%.0f%%), %.0f s left", stage, done, total,
                100. * (double)done / (double)total, left);
        terminal.last = time;
        terminal.line_open = true;
    }
}

static void note(void *self, const char *sentence) {
    (void)self;
    if (terminal.quiet) return;
    terminal_end();
    fprintf(stderr, "onnxq: note: %s\n", sentence);
}

// The user's cache folder as the XDG Base Directory Specification has it (paths that are not absolute do not
// count), or NULL.
static const char *cache_folder(char *buffer, size_t size) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (cache && *cache == '/')
        length = snprintf(buffer, size, "%s/onnxq", cache);
    else if (home && *home == '/')
        length = snprintf(buffer, size, "%s/.cache/onnxq", home);
    return length > 0 && (size_t)length < size ? buffer : NULL;
}

onnxq_status terminal_session(const common_values *common, onnxq_session **out, onnxq_error *err) {
    terminal.quiet = common->quiet;
    terminal.shows_progress = !common->quiet && isatty(STDERR_FILENO);
    char folder[4096];
    const onnxq_session_options options = {.cache =
                                               common->no_cache ? NULL : cache_folder(folder, sizeof folder),
                                           .threads = common->threads,
                                           .memory_budget = common->memory << 20,
                                           .progress = progress,
                                           .note = note};
    return onnxq_session_new(&options, out, err);
}

void terminal_error(const onnxq_error *err) {
    terminal_end();
    const char *red = isatty(STDERR_FILENO) && !getenv("NO_COLOR") ? "\033[31m" : "";
    fprintf(stderr, "onnxq: %serror:%s %s\n", red, *red ? "\033[0m" : "",
            err->message[0] ? err->message : onnxq_status_meaning(err->status));
}
