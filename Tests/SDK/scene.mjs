// The cluster under test, bundles that speak to one node each, and how checks wait and are counted.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [bundle, clusterFile, scheme] = process.argv.slice(2)
const patienceMs = 20_000

export const cluster = JSON.parse(readFileSync(clusterFile, 'utf8'))
export const urls = cluster.nodes.map(({ url }) => url.replace(/^http:/, `${scheme}:`))
export const credentials = { projectId: cluster.project, apiKey: cluster.apiKey, apiSecret: cluster.apiSecret }

/** A copy of the bundle for each node: the SDK knows one address. */
export function bundles () {
  return Promise.all(urls.map(async (url, node) => {
    const copy = await import(`${pathToFileURL(bundle)}?node=${node}`)
    Object.getPrototypeOf(Object.getPrototypeOf(copy.NonLocalStorage)).basePath = url
    return copy
  }))
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 10))

/** Waits until it holds; a check that waits for ever is ended by the deadline. */
export async function until (what, holds) {
  const deadline = Date.now() + patienceMs
  while (!await holds()) {
    assert.ok(Date.now() < deadline, `not within ${patienceMs} ms: ${what}`)
    await tick()
  }
}

/** Runs the checks one after the other, with `afterwards` behind each, tells how they went, and ends the process. */
export async function run (checks, afterwards) {
  let [passed, failed] = [0, 0]
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check()
      passed += 1
    } catch (error) {
      failed += 1
      console.log(`FAILED: ${name}: ${error?.stack ?? JSON.stringify(error)}`)
    }
    await afterwards()
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed ? 1 : 0)
}
