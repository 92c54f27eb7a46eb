/* The status socket, DIR/status.sock: each connection gets the status object and a newline, then
 * the end. It answers also when the node's addresses cannot be reached (other network namespaces).
 */
#ifndef MAIN_SOCK_H
#define MAIN_SOCK_H

#include "base/bytes.h"
#include "base/err.h"

#include <uv.h>

struct sock;
int sock_open(struct sock **out, uv_loop_t *loop, int dir_fd,
              void (*write)(void *arg, struct bytes *out), void *arg, struct err *err);
void sock_close(struct sock *s); /* frees in a later turn of the loop */

/* The client: the whole answer of the node on this folder. ERR_UNAVAILABLE: none runs. */
int sock_ask(const char *data, struct bytes *out, struct err *err);

#endif
