#include "cli/context.h"

#include <stdlib.h>
#include <unistd.h>

static int token_take(struct client_target *t, const char *text, size_t n, const char *whence)
{
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
        n--;
    if (n == 0 || n >= sizeof t->token)
        return cli_fail(CLI_USAGE, "%s holds no token", whence);
    for (size_t i = 0; i < n; i++) {
        if (text[i] <= ' ' || text[i] > '~') /* it goes into a header line */
            return cli_fail(CLI_USAGE, "%s holds more than a token", whence);
    }
    memcpy(t->token, text, n);
    t->token[n] = '\0';
    return 0;
}

static int token_read(struct client_target *t, const char *path)
{
    struct bytes text = {0};
    struct err err;
    int rc;
    if (file_read(path, CLI_KEY_FILE_MAX_BYTES, &text, &err) != 0)
        rc = cli_fail(CLI_USAGE, "%s", err.msg);
    else
        rc = token_take(t, bytes_cstr(&text), text.n, path);
    bytes_free(&text);
    return rc;
}

static int server_take(struct client_target *t, const char *server)
{
    struct err err;
    return client_target_parse(t, server, &err) == 0 ? 0 : cli_fail(CLI_USAGE, "%s", err.msg);
}

/* The context file into t (which holds a token only if it is not wanted); what is not there leaves
 * t alone. */
static int context_file(struct client_target *t, bool want_server, bool want_token)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char path[4096];
    struct bytes text = {0};
    struct err err;
    if (base != NULL && base[0] != '\0')
        (void)snprintf(path, sizeof path, "%s/writ/context.json", base);
    else
        (void)snprintf(path, sizeof path, "%s/.config/writ/context.json", home ? home : "");
    if (access(path, F_OK) != 0)
        return 0;
    if (file_read(path, CLI_FILE_MAX_BYTES, &text, &err) != 0)
        return cli_fail(CLI_USAGE, "%s", err.msg);
    int rc = 0;
    cJSON *json = cJSON_ParseWithLengthOpts(bytes_cstr(&text), text.n + 1, NULL, 1);
    const cJSON *server = cJSON_GetObjectItemCaseSensitive(json, "server");
    const cJSON *token = cJSON_GetObjectItemCaseSensitive(json, "token");
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(json, "token_file");
    if (!cJSON_IsObject(json))
        rc = cli_fail(CLI_USAGE, "%s is not JSON: it must hold {\"server\": ..., \"token\": ...}",
                      path);
    struct client_target own = {0};
    if (rc == 0 && cJSON_IsString(server))
        rc = server_take(&own, server->valuestring);
    if (rc == 0 && own.port[0] != '\0' && want_server) {
        memcpy(own.token, t->token, sizeof own.token);
        *t = own;
    }
    /* The file's token is for the file's server; it is not shown to another. */
    want_token &=
        own.port[0] == '\0' || (strcmp(own.host, t->host) == 0 && strcmp(own.port, t->port) == 0);
    if (rc == 0 && want_token && cJSON_IsString(token))
        rc = token_take(t, token->valuestring, strlen(token->valuestring), path);
    else if (rc == 0 && want_token && cJSON_IsString(file))
        rc = token_read(t, file->valuestring);
    cJSON_Delete(json);
    bytes_free(&text);
    return rc;
}

static int data_folder(struct client_target *t, const char *folder)
{
    char path[4096];
    struct bytes status = {0};
    struct err err;
    if (client_status(folder, &status, &err) != 0) {
        bytes_free(&status);
        return cli_fail(CLI_UNREACHABLE, "%s", err.msg);
    }
    cJSON *json = cJSON_ParseWithLength((const char *)status.p, status.n);
    const char *admin = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "admin"));
    int rc = admin != NULL
                 ? server_take(t, admin)
                 : cli_fail(CLI_UNREACHABLE, "the node on %s does not tell its address", folder);
    (void)snprintf(path, sizeof path, "%s/token", folder);
    if (rc == 0)
        rc = token_read(t, path);
    cJSON_Delete(json);
    bytes_free(&status);
    return rc;
}

int context_target(const struct cli *c, struct client_target *t)
{
    const char *data = cli_value(c, "data");
    const char *server = cli_value(c, "server"), *token_file = cli_value(c, "token-file");
    const char *token = getenv("WRIT_TOKEN");
    *t = (struct client_target){0};
    if (data != NULL)
        return data_folder(t, data);
    if (server == NULL || server[0] == '\0')
        server = getenv("WRIT_SERVER");
    int rc = server_take(t, "127.0.0.1");
    if (rc == 0 && server != NULL && server[0] != '\0')
        rc = server_take(t, server);
    else
        server = NULL;
    if (rc == 0 && token_file != NULL)
        rc = token_read(t, token_file);
    else if (rc == 0 && token != NULL && token[0] != '\0')
        rc = token_take(t, token, strlen(token), "WRIT_TOKEN");
    if (rc == 0 && (server == NULL || t->token[0] == '\0'))
        rc = context_file(t, server == NULL, t->token[0] == '\0');
    return rc;
}
