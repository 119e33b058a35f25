// Memory of one worker: a pool of output buffers by size, and scratch blocks that a node's end gives back.
#include "run/buffers.h"

#include <pthread.h>

// Idle buffers kept beyond what the peak needs: small models never give memory back, large ones soon do.
#define SLACK_BYTES   ((size_t)1 << 20)
#define SMALLEST      ((size_t)256)
#define FIRST_SCRATCH ((size_t)64 << 10)

struct oq_buffers {
    oq_mem *mem;
    pthread_mutex_t lock;
    size_t owners;     // the worker and every buffer in use
    bool closed;       // the worker has gone: buffers that return are freed
    oq_buffer **idle;  // sorted by size, smallest first
    size_t idle_count; // never more than idle_capacity
    size_t idle_capacity;
    size_t idle_bytes, used_bytes, peak_bytes; // peak of used_bytes
};

oq_status oq_buffers_new(oq_mem *mem, oq_buffers **out, oq_error *err) {
    oq_buffers *buffers = oq_mem_calloc(mem, 1, sizeof *buffers, err);
    *out = buffers;
    if (!buffers) return ONNXQ_NO_MEMORY;
    buffers->mem = mem;
    buffers->owners = 1;
    pthread_mutex_init(&buffers->lock, NULL);
    return ONNXQ_OK;
}

static void give_back(oq_buffer *buffer) {
    buffer->reclaim = NULL;
    buffer->owner = NULL;
    atomic_store(&buffer->references, 1);
    oq_buffer_release(buffer);
}

static void end_pool(oq_buffers *buffers) {
    pthread_mutex_destroy(&buffers->lock);
    oq_mem_free(buffers->mem, buffers->idle);
    oq_mem_free(buffers->mem, buffers);
}

void oq_buffers_free(oq_buffers *buffers) {
    if (!buffers) return;
    pthread_mutex_lock(&buffers->lock);
    buffers->closed = true;
    for (size_t i = 0; i < buffers->idle_count; i++) give_back(buffers->idle[i]);
    buffers->idle_count = 0;
    const bool last = --buffers->owners == 0;
    pthread_mutex_unlock(&buffers->lock);
    if (last) end_pool(buffers);
}

// First idle buffer of at least `bytes`; idle_count when there is none.
static size_t lower_bound(const oq_buffers *buffers, size_t bytes) {
    size_t low = 0, high = buffers->idle_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (buffers->idle[middle]->size < bytes)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static oq_buffer *take_idle(oq_buffers *buffers, size_t index) {
    oq_buffer *buffer = buffers->idle[index];
    buffers->idle_count--;
    for (size_t i = index; i < buffers->idle_count; i++) buffers->idle[i] = buffers->idle[i + 1];
    buffers->idle_bytes -= buffer->size;
    return buffer;
}

// The last reference has gone: the buffer waits for its next use. There is always room in `idle`, because
// oq_buffers_get made it before it handed the buffer out.
static void reclaim(oq_buffer *buffer, void *owner) {
    oq_buffers *buffers = owner;
    pthread_mutex_lock(&buffers->lock);
    buffers->used_bytes -= buffer->size;
    if (buffers->closed) {
        give_back(buffer);
    } else {
        const size_t at = lower_bound(buffers, buffer->size);
        for (size_t i = buffers->idle_count; i > at; i--) buffers->idle[i] = buffers->idle[i - 1];
        buffers->idle[at] = buffer;
        buffers->idle_count++;
        buffers->idle_bytes += buffer->size;
    }
    const bool last = --buffers->owners == 0;
    pthread_mutex_unlock(&buffers->lock);
    if (last) end_pool(buffers);
}

// Sizes in steps of an eighth of the power of two below: at most 12.5 % is wasted, and sizes meet again.
static bool round_size(size_t bytes, size_t *rounded) {
    if (bytes <= SMALLEST) {
        *rounded = SMALLEST;
        return true;
    }
    const int top = 63 - __builtin_clzll((unsigned long long)(bytes - 1));
    const size_t step = (size_t)1 << (top - 3);
    size_t sum;
    if (!oq_add_size(bytes, step - 1, &sum)) return false;
    *rounded = sum & ~(step - 1);
    return true;
}

static oq_status new_buffer(oq_buffers *buffers, size_t size, oq_buffer **out, oq_error *err) {
    const size_t most =
        buffers->used_bytes + size > buffers->peak_bytes ? buffers->used_bytes + size : buffers->peak_bytes;
    while (buffers->idle_count &&
           buffers->used_bytes + buffers->idle_bytes + size > most + most / 2 + SLACK_BYTES)
        give_back(take_idle(buffers, buffers->idle_count - 1));
    void *idle = buffers->idle;
    OQ_TRY(oq_mem_reserve(buffers->mem, &idle, buffers->owners + buffers->idle_count, &buffers->idle_capacity,
                          sizeof(oq_buffer *), err));
    buffers->idle = idle;
    *out = oq_buffer_new(buffers->mem, size, err);
    return *out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

oq_status oq_buffers_get(oq_buffers *buffers, size_t bytes, oq_buffer **out, oq_error *err) {
    size_t size;
    *out = NULL;
    if (!round_size(bytes, &size))
        return oq_fail(err, ONNXQ_NO_MEMORY, "a tensor of %zu bytes is too large", bytes);
    pthread_mutex_lock(&buffers->lock);
    const size_t at = lower_bound(buffers, size);
    oq_status status = ONNXQ_OK;
    if (at < buffers->idle_count && buffers->idle[at]->size / 2 <= size)
        *out = take_idle(buffers, at);
    else
        status = new_buffer(buffers, size, out, err);
    if (status == ONNXQ_OK) {
        (*out)->reclaim = reclaim;
        (*out)->owner = buffers;
        atomic_store(&(*out)->references, 1);
        buffers->owners++;
        buffers->used_bytes += (*out)->size;
        if (buffers->used_bytes > buffers->peak_bytes) buffers->peak_bytes = buffers->used_bytes;
    }
    pthread_mutex_unlock(&buffers->lock);
    return status;
}

void oq_scratch_init(oq_scratch_stack *stack, oq_mem *mem) { *stack = (oq_scratch_stack){.mem = mem}; }

static void free_chunks(oq_scratch_stack *stack) {
    for (size_t i = 0; i < stack->chunk_count; i++) oq_mem_free(stack->mem, stack->chunk[i].data);
    stack->chunk_count = stack->current = stack->used = 0;
}

void oq_scratch_release(oq_scratch_stack *stack) { free_chunks(stack); }

static size_t all_chunks(const oq_scratch_stack *stack) {
    size_t sum = 0;
    for (size_t i = 0; i < stack->chunk_count; i++) sum += stack->chunk[i].size;
    return sum;
}

static bool add_chunk(oq_scratch_stack *stack, size_t bytes, oq_error *err) {
    const size_t all = all_chunks(stack);
    size_t size = bytes > FIRST_SCRATCH ? bytes : FIRST_SCRATCH;
    if (size < all) size = all;
    if (stack->chunk_count == OQ_SCRATCH_CHUNKS) {
        oq_fail(err, ONNXQ_NO_MEMORY, "a node asks for more scratch memory than there is");
        return false;
    }
    unsigned char *data = oq_mem_alloc(stack->mem, size, err);
    if (!data) return false;
    stack->chunk[stack->chunk_count].data = data;
    stack->chunk[stack->chunk_count].size = size;
    stack->current = stack->chunk_count++;
    stack->used = 0;
    return true;
}

void *oq_scratch_take(oq_scratch_stack *stack, size_t bytes, oq_error *err) {
    size_t rounded;
    if (!oq_add_size(bytes ? bytes : 1, OQ_ALIGNMENT - 1, &rounded)) {
        oq_fail(err, ONNXQ_NO_MEMORY, "%zu bytes of scratch memory are too many", bytes);
        return NULL;
    }
    rounded &= ~(size_t)(OQ_ALIGNMENT - 1);
    while (stack->current < stack->chunk_count && stack->chunk[stack->current].size - stack->used < rounded) {
        stack->current++;
        stack->used = 0;
    }
    if (stack->current == stack->chunk_count && !add_chunk(stack, rounded, err)) return NULL;
    void *block = stack->chunk[stack->current].data + stack->used;
    stack->used += rounded;
    return block;
}

oq_scratch_mark oq_scratch_here(const oq_scratch_stack *stack) {
    return (oq_scratch_mark){.current = stack->current, .used = stack->used};
}

void oq_scratch_back(oq_scratch_stack *stack, oq_scratch_mark mark) {
    stack->current = mark.current;
    stack->used = mark.used;
    if (mark.current != 0 || mark.used != 0 || stack->chunk_count < 2) return;
    const size_t all = all_chunks(stack);
    free_chunks(stack);
    // Without memory for the joined chunk the next node asks again, so failure is not an error here.
    add_chunk(stack, all, NULL);
}
