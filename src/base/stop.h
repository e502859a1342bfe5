// SPDX-License-Identifier: EUPL-1.2
// Ctrl-C as a value. The program's signal handler calls RequestStop (async-signal-safe); long work
// asks StopRequested between steps, saves what it has and throws Interrupted.
#pragma once

namespace lem {

void RequestStop();
bool StopRequested();

}  // namespace lem
