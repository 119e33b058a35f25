// What the files that write stored weights share.
#ifndef OQ_QUANT_EMIT_STORAGE_H
#define OQ_QUANT_EMIT_STORAGE_H

#include "quant/emit.h"
#include "quant/storage.h"

// The objects of one stored constant in the graph; OQ_NONE until they are needed.
typedef struct oq_emitted_store {
    oq_value_id q;           // as stored
    oq_value_id scale, zero; // zero: OQ_NONE where it is 0 for all
    oq_value_id dequantized; // the whole constant as floats
    oq_value_id transposed;  // the transpose of that
} oq_emitted_store;

// Makes the integers and parameters of a table.
oq_status oq_emit_table(oq_emitter *e, const oq_stored *w, oq_emitted_store *own, oq_error *err);
// Writes anew the Gather that looks rows of it up.
oq_status oq_emit_lookup(oq_emitter *e, const oq_stored *w, const oq_emitted_store *own, oq_node_id gather,
                         oq_error *err);
// What an output layer that is tied to the table reads: all of it as floats, in own->dequantized.
oq_status oq_emit_whole_table(oq_emitter *e, const oq_stored *w, oq_emitted_store *own, oq_error *err);

#endif
