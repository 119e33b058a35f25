// What the files of this room share: growing lists in the arena, use lists, marks of change.
#ifndef OQ_GRAPH_STORAGE_H
#define OQ_GRAPH_STORAGE_H

#include "graph/graph.h"

// Room for one more element in an arena list of `count` elements; the old array stays readable.
oq_status oq_list_reserve(oq_model *model, void **list, size_t count, size_t *capacity, size_t size,
                          oq_error *err);

// Enters or deletes one use of a value; OQ_NONE has no uses.
oq_status oq_use_add(oq_graph *graph, oq_value_id value, oq_node_id node, size_t input, oq_error *err);
void oq_use_remove(oq_graph *graph, oq_value_id value, oq_node_id node, size_t input);
// The same for all inputs and captures of a node; after a failure none is entered.
oq_status oq_node_attach(oq_graph *graph, const oq_node *node, oq_error *err);
void oq_node_detach(oq_graph *graph, const oq_node *node);

// The graph, the nodes and attributes around it, or its function, are no longer as in the file.
void oq_graph_touch(oq_graph *graph);
// Takes a value out: its name is free again, its initializer gone.
void oq_value_kill(oq_graph *graph, oq_value_id value);
// True when nothing refers to the value: no producer, no use, neither input nor output.
bool oq_value_is_idle(const oq_gvalue *value);

// Calls visit(self, body) for each body of a node until one fails.
typedef oq_status (*oq_body_visit)(void *self, oq_graph *body, oq_error *err);
oq_status oq_node_each_body(const oq_node *node, oq_body_visit visit, void *self, oq_error *err);
// How deep bodies may nest; readers of files hold to it, so recursion over bodies is safe.
#define OQ_MAX_DEPTH 100

// Renames a value and what stands for it in bodies, whose own values of that name give way.
oq_status oq_value_rename(oq_graph *graph, oq_value_id value, const char *name, oq_error *err);
// Points capture `index` of a node at another outer value; in the bodies the captured values follow.
oq_status oq_capture_replace(oq_graph *graph, oq_node *node, size_t index, oq_value_id to, oq_error *err);
// Takes out of a node the captures that none of its bodies uses any more.
oq_status oq_capture_sweep(oq_graph *graph, oq_node *node, oq_error *err);

// A type copied into another model.
oq_status oq_type_clone(oq_model *model, const oq_type *from, oq_type *into, oq_error *err);

#endif
