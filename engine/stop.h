/* Being asked to stop: by a signal, or by a part that cannot go on. */
#ifndef ENGINE_STOP_H
#define ENGINE_STOP_H

#include <stdbool.h>

/* Take SIGINT and SIGTERM as being asked; calls that wait wake up and look. */
void stop_on_signals(void);
bool stop_asked(void); /* true from the first time on; threads: any */
void stop_ask(void);   /* as if a signal had come */

#endif
