// The vendor's own SDK, unmodified, against a cluster: every call and event of it that a server has a part in.
// Each client stands at a node of its own; one copy of the bundle speaks to one node.
// usage: node --experimental-websocket sdk_check.mjs BUNDLE cluster.json http|https

import assert from 'node:assert/strict'
import { createHmac, randomUUID } from 'node:crypto'
import { bundles, cluster, credentials, run, until, urls } from './scene.mjs'

const sdks = await bundles()

/** A client at a node, of an object that no other check uses unless it is told which. */
function client (node, options = {}, by = credentials) {
  const made = new sdks[node].NonLocalStorage(by, { class: 'sdk', id: randomUUID(), logLevel: 'error', ...options })
  opened.push(made)
  return made
}
let opened = []

async function admin (method, path, body) {
  const response = await fetch(`${urls[1]}/admin/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${cluster.adminToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body)
  })
  const text = await response.text()
  assert.equal(response.status, 200, `${method} ${path}: ${text}`)
  return JSON.parse(text)
}

async function newClass (...changes) {
  const name = `sdk-${randomUUID()}`
  for (const change of changes) await admin('POST', `/projects/${cluster.project}/classes/${name}`, change)
  return name
}

/** What stands on the server, as nobody's SDK shows it. */
async function raw (id, item) {
  const authorization = 'Basic ' + Buffer.from(`${cluster.apiKey}:${cluster.apiSecret}`).toString('base64')
  const response = await fetch(`${urls[0]}/project/${cluster.project}/cache/sdk/${id}/${item}`, { headers: { authorization } })
  return (await response.json()).value
}

/** Everything that a client hears of an event. */
function heard (by, event, name) {
  const list = []
  by.on(event, ...(name ? [name] : []), (what) => list.push(what))
  return list
}

/** An open socket, so that nothing which follows is missed. */
async function listening (node, options) {
  const made = client(node, options)
  await made.connect()
  await until('a socket with an id', () => made.connectionId)
  return made
}

async function refusal (promise) {
  try { await promise } catch (error) { return error }
  assert.fail('it was not refused')
}

/** A class is known to the node that made it, and to the others a moment later. */
async function known (make) {
  let last
  await until('the other nodes know the class', async () => {
    try { last = await make(); return true } catch { return false }
  })
  return last
}

const checks = {
  async 'an item is set, read at another node, and removed' () {
    const id = randomUUID()
    const [one, two] = [client(0, { id }), client(1, { id })]
    assert.equal(await one.getItem('a'), undefined)
    const made = await one.setItem('a', { deep: [1, 'é', null] }, { ttl: 60_000 })
    assert.equal(made.expiresAt - made.updatedAt, 60_000)
    const read = await two.getItem('a')
    assert.deepEqual(read.value, { deep: [1, 'é', null] })
    assert.equal(read.createdAt, made.createdAt)
    await two.removeItem('a')
    assert.equal(await one.getItem('a'), undefined)
  },

  async 'many items at once, by names and by prefix' () {
    const id = randomUUID()
    const [one, two] = [client(0, { id }), client(2, { id })]
    await one.setItems({ 'x-1': { value: 1 }, 'x-2': { value: 'two' }, y: { value: [3] } })
    assert.deepEqual(Object.keys(await two.getItems(['x-1', 'y', 'none'])).sort(), ['x-1', 'y'])
    assert.deepEqual(Object.keys(await two.getAllItems({ prefix: 'x-' })).sort(), ['x-1', 'x-2'])
    assert.deepEqual((await two.getAllKeys()).sort(), ['x-1', 'x-2', 'y'])
    await two.removeItems(['x-1', 'y'])
    assert.deepEqual(await one.getAllKeys(), ['x-2'])
    await one.clear()
    assert.deepEqual(await two.getAllKeys() ?? [], [])
  },

  async 'names that a URL changes are the same by every call' () {
    const one = client(0)
    for (const name of ['with blank', 'é☃', 'a+b', 'a/b', '100%', 'a=b&c', '"quoted"']) {
      await one.setItem(name, name)
      assert.equal((await one.getItem(name)).value, name)
      assert.equal((await one.getItems([name]))[name].value, name)
    }
  },

  async 'what is there is not overwritten by ifAbsent, nor by an old updatedAt' () {
    const one = client(0)
    const first = await one.setItem('a', 1, { ifAbsent: true })
    assert.equal(await one.setItem('a', 2, { ifAbsent: true }), undefined)
    const second = await one.setItem('a', 3, { updatedAt: first.updatedAt })
    assert.ok(second.updatedAt > first.updatedAt)
    const error = await refusal(one.setItem('a', 4, { updatedAt: first.updatedAt }))
    assert.match(JSON.stringify(error) + error.message, /conflict/i)
    assert.equal((await one.getItem('a')).value, 3)
  },

  async 'an item of a short life is gone after it' () {
    const one = client(1)
    await one.setItem('a', 1, { ttl: 300 })
    assert.equal((await one.getItem('a')).value, 1)
    await until('it is gone', async () => await one.getItem('a') === undefined)
  },

  async 'increment, decrement, push, splice, merge and setIn' () {
    const one = client(2)
    assert.equal((await one.incrementItem('n')).value, 1)
    assert.equal((await one.incrementItem('n', 4)).value, 5)
    assert.equal((await one.decrementItem('n', 2)).value, 3)
    await one.push('list', 'a')
    assert.deepEqual((await one.push('list', { b: 1 })).value, ['a', { b: 1 }])
    assert.deepEqual((await one.splice('list', 0, 1, ['x', 'y'])).value, ['x', 'y', { b: 1 }])
    await one.setItem('object', { a: 1, b: { c: 2 } })
    assert.deepEqual((await one.merge('object', { d: 3 })).value, { a: 1, b: { c: 2 }, d: 3 })
    assert.deepEqual((await one.setIn('object', 'b.c', 9)).value.b, { c: 9 })
  },

  async 'a hundred increments through all nodes are a hundred' () {
    const id = randomUUID()
    const all = urls.map((_, node) => client(node, { id, throttling: { enabled: false } }))
    await Promise.all(Array.from({ length: 99 }, (_, k) => all[k % all.length].incrementItem('n')))
    assert.equal((await all[0].incrementItem('n')).value, 100)
  },

  async 'writes at one node are heard at another, each once, in order' () {
    const id = randomUUID()
    const [writer, listener] = [client(0, { id }), await listening(1, { id })]
    const [all, named, removed] = [heard(listener, 'setItem'), heard(listener, 'setItem', 'b'), heard(listener, 'removeItem')]
    for (let count = 0; count < 10; count++) await writer.setItem(count % 2 ? 'b' : 'a', count)
    await writer.removeItem('a')
    await until('the removal is heard', () => removed.length)
    assert.deepEqual(all.map(({ prop, value }) => [prop, value]), Array.from({ length: 10 }, (_, k) => [k % 2 ? 'b' : 'a', k]))
    assert.deepEqual(named.map(({ value }) => value), [1, 3, 5, 7, 9])
    assert.deepEqual(removed.map(({ prop }) => prop), ['a'])
  },

  async 'messages reach the others, by socket and by HTTP' () {
    const id = randomUUID()
    const [speaker, listener] = [await listening(0, { id }), await listening(2, { id })]
    const [own, others] = [heard(speaker, 'message'), heard(listener, 'message')]
    await speaker.send({ by: 'socket' })
    await until('it is heard', () => others.length === 1)
    await speaker.send({ by: 'http' }, { transport: 'http' })
    await until('both are heard', () => others.length === 2)
    assert.deepEqual(others, [{ by: 'socket' }, { by: 'http' }])
    assert.ok(!own.some(({ by }) => by === 'socket'), 'it heard itself')
  },

  async 'who joins is listed at every node until it leaves' () {
    const id = randomUUID()
    const [one, two] = [await listening(0, { id }), await listening(1, { id })]
    const [joins, leaves] = [heard(two, 'presence:join'), heard(two, 'presence:leave')]
    await one.join({ name: 'ann' })
    await until('the join is heard', () => joins.length)
    assert.deepEqual([joins[0].connectionId, joins[0].data], [one.connectionId, { name: 'ann' }])
    assert.deepEqual((await two.getJoinedConnections()).map(({ data }) => data), [{ name: 'ann' }])
    await one.leave()
    await until('the leave is heard', () => leaves.length)
    assert.deepEqual(await two.getJoinedConnections(), [])
  },

  async 'whose socket closes leaves' () {
    const id = randomUUID()
    const [one, two] = [await listening(0, { id }), await listening(1, { id })]
    await one.join({ name: 'ann' })
    await until('it is listed', async () => (await two.getJoinedConnections()).length === 1)
    await one.disconnect()
    await until('it is not', async () => (await two.getJoinedConnections()).length === 0)
  },

  async 'an access token is had, used at another node, and refused in another project' () {
    const accessToken = await sdks[0].retrieveAccessToken(cluster.project, cluster.apiKey, cluster.apiSecret)
    const by = client(1, {}, { projectId: cluster.project, accessToken })
    await by.setItem('a', 1)
    let asked = 0
    const getAccessToken = async () => { asked += 1; return accessToken }
    assert.equal((await client(2, { id: by.id }, { projectId: cluster.project, getAccessToken }).getItem('a')).value, 1)
    assert.equal(asked, 1)
    const other = randomUUID()
    await admin('POST', '/projects', { project: other })
    await refusal(client(1, {}, { projectId: other, accessToken }).getItem('a'))
  },

  async 'a wrong secret opens nothing' () {
    const error = await refusal(sdks[0].retrieveAccessToken(cluster.project, cluster.apiKey, 'wrong'))
    assert.match(JSON.stringify(error) + error.message, /unauthenticated|unauthori[sz]ed|401/i)
  },

  async 'encrypted items are read by who has the passphrase, also after a rotation' () {
    const id = randomUUID()
    const [one, two] = [client(0, { id, passphrase: 'open sesame' }), client(1, { id, passphrase: 'open sesame' })]
    await one.getEncryptionSettings()
    await one.setItem('a', { secret: 'words' })
    assert.ok(!JSON.stringify(await raw(id, 'a')).includes('words'), 'it stands there in the clear')
    await two.getEncryptionSettings()
    assert.deepEqual((await two.getItem('a')).value, { secret: 'words' })
    await one.rotateEncryption()
    await one.setItem('b', 'new key')
    await two.getEncryptionSettings()
    assert.equal((await two.getItem('b')).value, 'new key')
    assert.deepEqual((await two.getItem('a')).value, { secret: 'words' })
    const stranger = client(2, { id, passphrase: 'open barley' })
    await stranger.getEncryptionSettings()
    await refusal(stranger.getItem('b'))
  },

  async 'encrypted events and messages' () {
    const options = { id: randomUUID(), passphrase: 'open sesame' }
    const [one, two] = [client(0, options), client(1, options)]
    await one.getEncryptionSettings()
    await two.getEncryptionSettings()
    await two.connect()
    await until('a socket', () => two.connectionId)
    const [items, messages] = [heard(two, 'setItem'), heard(two, 'message')]
    await one.setItem('a', 'words')
    await until('the item is heard', () => items.length)
    assert.equal(items[0].value, 'words')
    await one.send({ said: 'words' })
    await until('the message is heard', () => messages.length)
    assert.deepEqual(messages[0], { said: 'words' })
  },

  async 'a signed id opens its object, an unsigned one does not' () {
    const name = await newClass({ addSignatureKey: { version: 1, algorithm: 'hmac-sha256', key: 's3cret-of-the-class' } },
      { requireIdSignature: true })
    const id = randomUUID()
    const idSignature = createHmac('sha256', 's3cret-of-the-class').update(id).digest('hex')
    const signed = client(0, { class: name, id, idSignature, idSignatureKeyVersion: 1 })
    await known(() => signed.setItem('a', 1))
    await signed.connect()
    await until('a socket', () => signed.connectionId)
    const error = await refusal(client(0, { class: name, id }).getItem('a'))
    assert.match(JSON.stringify(error) + error.message, /signature/i)
  },

  async 'users prove who they are' () {
    const name = await newClass({ userIdentity: { mode: 'signature', key: 's3cret-of-the-users' } })
    const id = randomUUID()
    const userIdSignature = createHmac('sha256', 's3cret-of-the-users').update('ann').digest('hex')
    await known(() => client(2, { class: name, id }).getAllKeys())
    const [one, two] = [await listening(0, { class: name, id }), await listening(1, { class: name, id })]
    const messages = heard(two, 'message')
    await one.send({ userId: 'ann', text: 'hi' }, { transport: 'ws', auth: { userIdSignature } })
    await until('it is heard', () => messages.length)
    await refusal(one.send({ userId: 'bob', text: 'hi' }, { transport: 'http', auth: { userIdSignature } }))
    assert.deepEqual(messages, [{ userId: 'ann', text: 'hi' }])
  },

  async 'an object that two share by createSyncObject' () {
    const options = { class: 'sdk', id: randomUUID(), logLevel: 'error' }
    const one = await sdks[0].createSyncObject(credentials, options)
    const two = await sdks[1].createSyncObject(credentials, options)
    opened.push(one, two)
    one.colour = 'red'
    await until('the other has it', () => two.colour === 'red')
    two.count = 5
    await until('and back', () => one.count === 5)
    delete one.colour
    await until('and what is deleted', () => two.colour === undefined && !('colour' in two))
    await one.join({ name: 'ann' })
    await until('who is there', () => two.joinedConnections.length === 1)
  },

  async 'what is written without a connection is there later, by createOfflineNonLocalStorage' () {
    const kept = new Map()
    class Adapter {
      async get (key) { return kept.get(key) ?? null }
      async set (key, value) { kept.set(key, value) }
      async remove (key) { kept.delete(key) }
      async getAll () { return Object.fromEntries(kept) }
    }
    const options = { class: 'sdk', id: randomUUID(), logLevel: 'error', storage: Adapter }
    const one = await sdks[0].createOfflineNonLocalStorage(credentials, options)
    opened.push(one)
    await one.setItem('a', 1)
    await until('it is on the server', async () => (await client(1, { id: options.id }).getItem('a'))?.value === 1)
  },

  async 'a socket whose node is killed comes back by itself, with its presence' () {
    const id = randomUUID()
    const connectionSettings = { reconnectBaseDelay: 100, reconnectMaxDelay: 500 }
    const [one, two] = [await listening(2, { id, connectionSettings }), await listening(0, { id })]
    const [items, joins] = [heard(one, 'setItem'), heard(two, 'presence:join')]
    await one.join({ name: 'ann' })
    await until('it is there', () => joins.length === 1)
    const writer = client(1, { id })
    process.kill(cluster.nodes[2].pid, 'SIGKILL') // Its parent starts another.
    let count = 0
    await until('it hears what is written after it came back', async () => {
      count += 1
      await writer.setItem('a', count)
      return items.length > 0 && items.at(-1).value >= count - 1 && count > 20
    })
    await until('it is listed', async () => (await two.getJoinedConnections()).some(({ data }) => data.name === 'ann'))
  }
}

await run(checks, async () => {
  await Promise.all(opened.map((one) => Promise.resolve(one.disconnect?.()).catch(() => {})))
  opened = []
})
