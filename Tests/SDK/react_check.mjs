// The vendor's own React bindings, unmodified, against a cluster: components at two nodes show the same.
// usage: node --experimental-websocket react_check.mjs BUNDLE cluster.json http|https

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { bundles, credentials, run, until } from './scene.mjs'

// React draws into a document; sockets and requests stay those of Node.js. `require` finds what Debian installs.
const { JSDOM } = createRequire(import.meta.url)('jsdom')
const { window } = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost/' })
Object.assign(globalThis, { window, document: window.document })

const copies = await bundles()
let roots = []

/** A component at a node that uses a hook: what the hook gave last, and what is drawn of it. */
function mount (node, useHook, shows) {
  const { createElement, createRoot } = copies[node]
  const place = document.body.appendChild(document.createElement('div'))
  const mounted = { place, now: undefined, get text () { return place.textContent } }
  function Component () {
    mounted.now = useHook(copies[node])
    return createElement('p', null, shows(mounted.now))
  }
  const root = createRoot(place)
  roots.push(root)
  root.render(createElement(Component))
  return mounted
}

const options = () => ({ credentials, instanceOptions: { class: 'react', logLevel: 'error' } })

/** Two components of one item at two nodes, when both have loaded and hear of changes. */
async function pair (useHook, shows = ([value]) => JSON.stringify(value) ?? 'nothing') {
  const [id, settings] = [randomUUID(), options()]
  const both = [0, 1].map((node) => mount(node, (bindings) => useHook(bindings, id, settings), shows))
  for (const node of [0, 1]) {
    // What it loads at first would be drawn over what is set meanwhile.
    await until('it has loaded', () => both[node].now && both[node].now.at(-1) !== true)
    const store = copies[node].getNonLocalStorage({ ...settings.instanceOptions, id }, credentials)
    await store.connect()
    await until('a socket', () => store.connectionId)
    await store.getJoinedConnections()
  }
  return both
}

const checks = {
  async 'useNonLocalState' () {
    const [one, two] = await pair(({ useNonLocalState }, id, options) => useNonLocalState(id, 'a', options))
    await one.now[1]({ colour: 'red' })
    await until('both show it', () => one.text === '{"colour":"red"}' && two.text === '{"colour":"red"}')
    await two.now[1]('blue')
    await until('and back', () => one.text === '"blue"')
    assert.equal(one.now[2], undefined)
  },

  async 'useNonLocalCounter' () {
    const [one, two] = await pair(({ useNonLocalCounter }, id, options) => useNonLocalCounter(id, 'n', options))
    await one.now[1]()
    await until('both count', () => two.text === '1')
    // One after the other: the hook shows the answer to its own call even if it has heard of a later one before.
    await two.now[1](11)
    await until('the other shows it', () => one.text === '12')
    await two.now[2](2)
    await until('and down', () => one.text === '10')
  },

  async 'useNonLocalArray' () {
    const [one, two] = await pair(({ useNonLocalArray }, id, options) => useNonLocalArray(id, 'list', options))
    await one.now[1].push('a')
    await one.now[1].push('b')
    await until('both have it', () => two.text === '["a","b"]')
    await two.now[1].splice(0, 1, ['x', 'y'])
    await until('spliced', () => one.text === '["x","y","b"]')
    await one.now[1].setArray(['z'])
    await until('set', () => two.text === '["z"]')
  },

  async 'useNonLocalObject' () {
    const [one, two] = await pair(({ useNonLocalObject }, id, options) => useNonLocalObject(id, 'o', options))
    await one.now[1].setObject({ a: 1 })
    await two.now[1].merge({ b: { c: 2 } })
    await until('merged', () => one.text === '{"a":1,"b":{"c":2}}')
    await one.now[1].setIn('b.c', 3)
    await until('set within', () => two.text === '{"a":1,"b":{"c":3}}')
  },

  async 'useMultiNonLocalStates' () {
    const keys = ['a', 'b']
    const [one, two] = await pair(({ useMultiNonLocalStates }, id, options) => useMultiNonLocalStates(id, keys, options),
      ([values]) => `${values?.a?.value}-${values?.b?.value}`)
    await one.now[1]({ a: { value: 1 }, b: { value: 2 } })
    await until('both', () => one.text === '1-2' && two.text === '1-2')
  },

  async 'useMessaging' () {
    const heard = []
    const listen = (message) => heard.push(message)
    const [one, two] = await pair(({ useMessaging }, id, options) => useMessaging(id, listen, options),
      ([connected]) => connected.map(({ data }) => data.name).join())
    one.now[2]({ name: 'ann' })
    await until('she is there', () => two.text === 'ann' && one.text === 'ann')
    two.now[1]({ text: 'hi' })
    // The hook tells its own caller at once, the server everybody else.
    await until('both have it', () => heard.length === 2)
    assert.deepEqual(heard, [{ text: 'hi' }, { text: 'hi' }])
    one.now[3]()
    await until('she is gone', () => two.text === '')
  },

  async 'createNonLocalStore' () {
    const [id, settings] = [randomUUID(), options()]
    await copies[2].createNonLocalStore(id, 'a', settings).post(41)
    assert.equal((await copies[1].createNonLocalStore(id, 'a', settings).fetch()).value, 41)
  }
}

await run(checks, async () => {
  for (const root of roots) root.unmount()
  roots = []
})
