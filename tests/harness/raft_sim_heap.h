/* libraft's heap during a history: what crashed nodes leave behind is freed at its end. */
#ifndef HARNESS_RAFT_SIM_HEAP_H
#define HARNESS_RAFT_SIM_HEAP_H

void sim_heap_begin(void);
void sim_heap_end(void);

#endif
