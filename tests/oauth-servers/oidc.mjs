// Copyright (c) 2026, TrackOps founders
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Run npm's oidc-provider with its defaults, except for the clients and the features under test.
//   node oidc.mjs PORT CLIENTS.json NODE_MODULES_FOLDER

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, clients, modules] = process.argv.slice(2);
const found = createRequire(`${modules}/`).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(found));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: JSON.parse(readFileSync(clients, 'utf8')),
  features: { clientCredentials: { enabled: true }, introspection: { enabled: true }, revocation: { enabled: true }, deviceFlow: { enabled: true } },
});
provider.listen(Number(port), '127.0.0.1');
