// The thread pool: the caller is worker 0, the other workers sleep between runs.
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

typedef struct pool_worker {
    oq_pool *pool;
    size_t index;
    pthread_t thread;
} pool_worker;

struct oq_pool {
    oq_mem *mem;
    size_t threads, started; // workers with the caller; threads that really run
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    bool stop, running;
    uint64_t round; // counts the runs, so that a sleeping worker sees a new one
    size_t busy;    // workers that have not finished this round
    // The run: constant while it lasts, apart from the next item and the failure.
    oq_work work;
    void *self;
    size_t count;
    atomic_size_t next;   // item that nobody has taken yet
    atomic_size_t failed; // lowest failing item, or SIZE_MAX
    oq_status status;     // of that item
    oq_error error;
    pool_worker workers[];
};

// Keeps the failure of the lowest item. Items are taken in rising order, so everything below a failing item
// has begun and will end: the lowest failure does not depend on timing.
static void keep_failure(oq_pool *pool, size_t index, oq_status status, const oq_error *error) {
    pthread_mutex_lock(&pool->lock);
    if (index < atomic_load(&pool->failed)) {
        atomic_store(&pool->failed, index);
        pool->status = status;
        pool->error = *error;
    }
    pthread_mutex_unlock(&pool->lock);
}

static void take_items(oq_pool *pool, size_t worker) {
    while (true) {
        const size_t index = atomic_fetch_add(&pool->next, 1);
        if (index >= pool->count || index > atomic_load(&pool->failed)) return;
        oq_error error = {0};
        const oq_status status = pool->work(pool->self, index, worker, &error);
        if (status != ONNXQ_OK) keep_failure(pool, index, status, &error);
    }
}

static void *worker_main(void *argument) {
    const pool_worker *worker = argument;
    oq_pool *pool = worker->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    while (true) {
        while (!pool->stop && pool->round == seen) pthread_cond_wait(&pool->begin, &pool->lock);
        if (pool->stop) break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        take_items(pool, worker->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0) pthread_cond_signal(&pool->end);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

// Processors that this process may run on.
static size_t processors(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return (size_t)CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

oq_status oq_pool_new(oq_mem *mem, size_t threads, oq_pool **out, oq_error *err) {
    *out = NULL;
    if (!threads) threads = processors();
    size_t bytes = 0;
    if (!oq_mul_size(threads, sizeof(pool_worker), &bytes) || !oq_add_size(bytes, sizeof(oq_pool), &bytes))
        return oq_fail(err, ONNXQ_USAGE, "%zu threads are too many", threads);
    oq_pool *pool = oq_mem_calloc(mem, 1, bytes, err);
    if (!pool) return ONNXQ_NO_MEMORY;
    pool->mem = mem;
    pool->threads = threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->begin, NULL);
    pthread_cond_init(&pool->end, NULL);
    for (size_t i = 1; i < threads; i++) {
        pool_worker *worker = &pool->workers[i];
        *worker = (pool_worker){.pool = pool, .index = i};
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            oq_pool_free(pool);
            return oq_fail(err, ONNXQ_NO_MEMORY, "the system refuses to start thread %zu of %zu", i + 1,
                           threads);
        }
        pool->started++;
    }
    *out = pool;
    return ONNXQ_OK;
}

void oq_pool_free(oq_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->begin);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 1; i <= pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->begin);
    pthread_cond_destroy(&pool->end);
    pthread_mutex_destroy(&pool->lock);
    oq_mem_free(pool->mem, pool);
}

size_t oq_pool_threads(const oq_pool *pool) { return pool ? pool->threads : 1; }

static oq_status run_alone(size_t count, oq_work work, void *self, oq_error *err) {
    for (size_t i = 0; i < count; i++) OQ_TRY(work(self, i, 0, err));
    return ONNXQ_OK;
}

oq_status oq_pool_run(oq_pool *pool, size_t count, oq_work work, void *self, oq_error *err) {
    if (!pool) return run_alone(count, work, self, err);
    pthread_mutex_lock(&pool->lock);
    if (pool->running) {
        pthread_mutex_unlock(&pool->lock);
        return oq_fail(err, ONNXQ_INTERNAL, "a thread pool was used from inside its own work");
    }
    pool->running = true;
    pool->work = work;
    pool->self = self;
    pool->count = count;
    pool->status = ONNXQ_OK;
    atomic_store(&pool->next, 0);
    atomic_store(&pool->failed, SIZE_MAX);
    const bool together = pool->started && count > 1; // one item needs nobody to wake up
    if (together) {
        pool->round++;
        pool->busy = pool->started;
        pthread_cond_broadcast(&pool->begin);
    }
    pthread_mutex_unlock(&pool->lock);

    take_items(pool, 0);

    pthread_mutex_lock(&pool->lock);
    while (together && pool->busy) pthread_cond_wait(&pool->end, &pool->lock);
    pool->running = false;
    const oq_status status = pool->status;
    if (status != ONNXQ_OK && err && err->status == ONNXQ_OK) *err = pool->error;
    pthread_mutex_unlock(&pool->lock);
    return status;
}
