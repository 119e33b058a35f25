// conformance [--ledger FILE] [--update] [--filter GLOB] [--jobs N] [--timeout SECONDS] [--quiet] CASES
//
// Runs every case of the folder CASES in a process of its own and compares the outcomes with the ledger: a
// case that fails though the ledger says it passes, and one that passes though the ledger says it fails, are
// both wrong. Without a ledger every failure is wrong.
#include "conformance/conformance.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_JOBS        64
#define CONFORMANCE_LINE (CONFORMANCE_OPERATORS + CONFORMANCE_REASON)

typedef struct options {
    const char *folder, *ledger, *filter;
    bool update, quiet;
    int jobs;
    unsigned timeout;
} options;

typedef struct job {
    pid_t pid;
    int pipe;
    conformance_case *c;
} job;

// Starts a case in a child that writes its outcome into a pipe; the alarm ends it when it takes too long.
static bool start(const options *o, conformance_case *c, job *j) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    fflush(NULL);
    *j = (job){.pid = fork(), .pipe = ends[0], .c = c};
    if (j->pid == 0) {
        close(ends[0]);
        alarm(o->timeout);
        conformance_run(o->folder, c);
        char line[CONFORMANCE_LINE];
        const int size = snprintf(line, sizeof line, "%s %s", c->operators, c->outcome);
        _exit(write(ends[1], line, (size_t)size) == size ? 0 : 1);
    }
    close(ends[1]);
    return j->pid > 0;
}

static void finish(const options *o, const job *j) {
    char line[CONFORMANCE_LINE], *outcome = j->c->outcome;
    const ssize_t count = read(j->pipe, line, sizeof line - 1);
    line[count > 0 ? count : 0] = 0;
    close(j->pipe);
    const size_t length = strcspn(line, " ");
    snprintf(j->c->operators, sizeof j->c->operators, "%.*s", length ? (int)length : 1, length ? line : "-");
    snprintf(outcome, CONFORMANCE_REASON, "%s", line[length] ? line + length + 1 : "");
    int state = 0;
    waitpid(j->pid, &state, 0);
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGALRM)
        snprintf(outcome, CONFORMANCE_REASON, "fail: takes more than %u seconds", o->timeout);
    else if (WIFSIGNALED(state))
        snprintf(outcome, CONFORMANCE_REASON, "fail: crash (%s)", strsignal(WTERMSIG(state)));
    else if (count <= 0)
        snprintf(outcome, CONFORMANCE_REASON, "fail: the process ends without an outcome");
}

// Keeps `jobs` children busy; a pipe becomes readable when its child writes or dies.
static bool run_all(const options *o, conformance_cases *cases) {
    job jobs[MOST_JOBS];
    struct pollfd polls[MOST_JOBS];
    int running = 0;
    size_t next = 0;
    while (next < cases->count || running) {
        while (running < o->jobs && next < cases->count) {
            if (!start(o, &cases->items[next++], &jobs[running])) return false;
            running++;
        }
        for (int i = 0; i < running; i++) polls[i] = (struct pollfd){.fd = jobs[i].pipe, .events = POLLIN};
        poll(polls, (nfds_t)running, -1);
        for (int i = running; i-- > 0;) {
            if (!polls[i].revents) continue;
            finish(o, &jobs[i]);
            jobs[i] = jobs[--running];
        }
    }
    return true;
}

static const conformance_case *find(const conformance_cases *ledger, const char *name) {
    size_t low = 0, high = ledger->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(ledger->items[middle].name, name);
        if (order == 0) return &ledger->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// Prints the outcomes and counts those that the ledger does not expect.
static size_t judge(const options *o, const conformance_cases *cases, const conformance_cases *ledger) {
    size_t wrong = 0, passed = 0;
    for (size_t i = 0; i < cases->count; i++) {
        const conformance_case *c = &cases->items[i];
        const conformance_case *before = find(ledger, c->name);
        const bool expected = o->ledger ? before && conformance_passes(before) : true;
        const bool differs = o->ledger && (!before || strcmp(before->operators, c->operators) != 0);
        const bool unexpected = expected != conformance_passes(c) || differs;
        passed += conformance_passes(c);
        wrong += unexpected;
        if (unexpected && o->ledger && !o->update)
            printf("UNEXPECTED %s %s %s (ledger: %s %s)\n", c->name, c->operators, c->outcome,
                   before ? before->operators : "no line", before ? before->outcome : "");
        else if (!o->quiet)
            printf("%s %s\n", c->name, c->outcome);
    }
    for (size_t i = 0; i < ledger->count && !o->filter; i++) {
        if (find(cases, ledger->items[i].name)) continue;
        printf("UNEXPECTED %s is in the ledger, but there is no such case\n", ledger->items[i].name);
        wrong++;
    }
    printf("%zu of %zu cases pass, %zu unlike the ledger%s\n", passed, cases->count, wrong,
           o->update ? ", which follows" : "");
    return wrong;
}

// The outcome for the ledger: a reason that a person wrote ("fail because ...") stays while the case fails.
static const conformance_case *to_keep(const conformance_case *c, const conformance_cases *ledger) {
    const conformance_case *before = find(ledger, c->name);
    const bool written = before && strncmp(before->outcome, "fail because ", 13) == 0;
    return written && !conformance_passes(c) ? before : c;
}

// New outcomes over the old ledger; lines of cases that were not run stay when there is a filter.
static oq_status update(oq_mem *mem, const options *o, const conformance_cases *cases,
                        const conformance_cases *ledger, oq_error *err) {
    conformance_cases merged = {0};
    merged.items = oq_mem_calloc(mem, cases->count + ledger->count + 1, sizeof *merged.items, err);
    if (!merged.items) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < cases->count; i++)
        merged.items[merged.count++] = *to_keep(&cases->items[i], ledger);
    for (size_t i = 0; i < ledger->count && o->filter; i++)
        if (!find(cases, ledger->items[i].name)) merged.items[merged.count++] = ledger->items[i];
    conformance_sort(&merged);
    const oq_status status = conformance_ledger_write(mem, o->ledger, &merged, err);
    oq_mem_free(mem, merged.items);
    return status;
}

static bool parse(int argc, char **argv, options *o) {
    *o = (options){.jobs = 2, .timeout = 60};
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(a, "--update"))
            o->update = true;
        else if (!strcmp(a, "--quiet"))
            o->quiet = true;
        else if (!strcmp(a, "--ledger") && next)
            o->ledger = argv[++i];
        else if (!strcmp(a, "--filter") && next)
            o->filter = argv[++i];
        else if (!strcmp(a, "--jobs") && next)
            o->jobs = atoi(argv[++i]);
        else if (!strcmp(a, "--timeout") && next)
            o->timeout = (unsigned)atoi(argv[++i]);
        else if (a[0] != '-' && !o->folder)
            o->folder = a;
        else
            return false;
    }
    return o->folder && o->jobs >= 1 && o->jobs <= MOST_JOBS && (o->ledger || !o->update);
}

int main(int argc, char **argv) {
    options o;
    if (!parse(argc, argv, &o)) {
        fprintf(
            stderr,
            "usage: conformance [--ledger FILE [--update]] [--filter GLOB] [--jobs N] [--timeout SECONDS] "
            "[--quiet] CASES\n");
        return 2;
    }
    oq_mem mem = {0};
    oq_error err = {0};
    conformance_cases cases = {0}, ledger = {0};
    oq_status status;
    size_t wrong = 0;
    OQ_TRY_DONE(conformance_list(&mem, o.folder, o.filter, &cases, &err));
    if (o.ledger) OQ_TRY_DONE(conformance_ledger_read(&mem, o.ledger, &ledger, &err));
    conformance_sort(&cases);
    conformance_sort(&ledger);
    if (!run_all(&o, &cases)) {
        status = oq_fail(&err, ONNXQ_IO, "no process can be started");
        goto done;
    }
    wrong = judge(&o, &cases, &ledger);
    if (o.update) {
        OQ_TRY_DONE(update(&mem, &o, &cases, &ledger, &err));
        wrong = 0;
    }
done:
    if (status != ONNXQ_OK) fprintf(stderr, "conformance: %s\n", err.message);
    conformance_cases_free(&mem, &cases);
    conformance_cases_free(&mem, &ledger);
    return status != ONNXQ_OK || wrong ? 1 : 0;
}
