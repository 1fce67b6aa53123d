// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The packages of package.json, from where tests/oracle/run installed them.
// Virtual time has to be there before they are.

import "./clock.mjs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { workDir } from "./ours.mjs";

export const theirs = createRequire(resolve(workDir, "package.json"));
