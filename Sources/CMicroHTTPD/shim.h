#include <microhttpd.h>

/// `MHD_start_daemon` takes its options as a C variable argument list, which Swift cannot call. One thread for each
/// connection, on a socket that listens already; no message is written anywhere.
static inline struct MHD_Daemon *replay_http_start(
    int listening, unsigned int connections, unsigned int idle_seconds, size_t stack_bytes, size_t connection_bytes,
    MHD_AccessHandlerCallback answer, MHD_RequestCompletedCallback completed, void *context) {
  return MHD_start_daemon(
      MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL,
      answer, context, MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_CONNECTION_LIMIT, connections,
      MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds, MHD_OPTION_THREAD_STACK_SIZE, stack_bytes,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_bytes, MHD_OPTION_NOTIFY_COMPLETED, completed, context,
      MHD_OPTION_END);
}

/// Also with a variable argument. 0: no limit; a limit set after that counts from now.
static inline enum MHD_Result replay_http_idle(struct MHD_Connection *connection, unsigned int seconds) {
  return MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}
