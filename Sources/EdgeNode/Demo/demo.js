// The demo page of a Holdfast cluster: one module, no library. It speaks the client protocol as it is, so that
// what happens when a node dies can be seen: calls go on at the next node, the socket resumes there.

const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const randomID = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => (byte % 36).toString(36)).join('');
const escaped = encodeURIComponent;

const roomClass = 'chat';
const directory = { objectClass: 'chat-directory', id: 'rooms' };
const firstRooms = ['lobby', 'harbour', 'garden'];
const messageLifetimeMs = 24 * 3600e3;
const shownMessages = 300;
const callTimeoutMs = 10_000;
const pingMs = 20_000;
const pongMs = 10_000;

const session = {
  project: '', key: '', secret: '', name: '', token: '', expiresAt: 0,
  author: randomID(), // tells this tab's messages from others', after a reload too
  page: randomID(), // tells this page's beats from others'
};
const cluster = { nodes: [], serving: '', current: null, owner: '', epoch: 0, index: 0 };
const room = {
  name: '', socket: null,
  messages: new Map(), people: new Map(), typists: new Map(), rooms: new Set(firstRooms),
};

/* ---- making elements ---- */

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children);
  return element;
}

// What has not changed is not touched: the page does not jump, and screen readers stay quiet.
function say(id, text) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
}

/* ---- nodes ---- */

async function readNodes() {
  const urls = [cluster.current?.url, ...cluster.nodes.map((node) => node.url), location.origin];
  for (const url of new Set(urls.filter(Boolean))) {
    try {
      const answer = await fetch(url + '/demo/nodes', { cache: 'no-store', signal: AbortSignal.timeout(3000) });
      if (!answer.ok) continue;
      adoptNodes(await answer.json(), url);
      return;
    } catch { /* the next one may know */ }
  }
}

// Nodes that are gone stay in the list, marked: they mostly come back.
function adoptNodes({ serving, nodes }, askedURL) {
  if (askedURL === location.origin) cluster.serving = serving;
  for (const known of cluster.nodes) known.isLive = false;
  for (const { name, url } of nodes.length ? nodes : [{ name: serving, url: askedURL }]) {
    // The address that the browser itself came by is surely one that works.
    const reachable = name === cluster.serving ? location.origin : url;
    const known = cluster.nodes.find((node) => node.name === name);
    if (known) Object.assign(known, { url: reachable, isLive: true });
    else cluster.nodes.push({ name, url: reachable, isLive: true });
  }
  cluster.nodes.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  cluster.current ??= cluster.nodes.find((node) => node.url === location.origin) ?? cluster.nodes[0];
  showNodes();
}

// Called when `node` did not answer; a page that went elsewhere meanwhile stays there.
function leaveNode(node) {
  node.isLive = false;
  if (cluster.current === node && cluster.nodes.length > 1) {
    const others = cluster.nodes.filter((other) => other !== node);
    const start = cluster.nodes.indexOf(node);
    const inTurn = [...others.slice(start), ...others.slice(0, start)];
    cluster.current = inTurn.find((other) => other.isLive) ?? inTurn[0];
  }
  showNodes();
  clearTimeout(leaveNode.timer);
  leaveNode.timer = setTimeout(readNodes, 500);
}

/* ---- calls ---- */

class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

// One call, at whatever node answers. Writes carry a key, so that trying again elsewhere does nothing twice.
async function call(method, path, body, { authorization, patienceMs = 20_000 } = {}) {
  const started = performance.now();
  const headers = {};
  if (method !== 'GET') headers['Idempotency-Key'] = `${session.page}-${randomID()}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  for (let attempt = 0; ; attempt++) {
    const node = cluster.current;
    let answer;
    try {
      headers.Authorization = authorization ?? `Bearer ${session.token}`;
      answer = await fetch(`${node.url}/project/${escaped(session.project)}${path}`, {
        method, headers, cache: 'no-store', signal: AbortSignal.timeout(callTimeoutMs),
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      leaveNode(node);
    }
    if (answer && answer.status < 500) return finish(answer, path, authorization);
    if (performance.now() - started > patienceMs) throw new Refused(503, 'No node answers.');
    await wait(answer ? 100 : Math.min(50 * 2 ** Math.floor(attempt / Math.max(1, cluster.nodes.length)), 1000));
  }
}

async function finish(answer, path, authorization) {
  const owner = answer.headers.get('Holdfast-Owner');
  const number = (name) => Number(answer.headers.get(name));
  if (owner && isOfRoom(path)) noteOwner(owner, number('Holdfast-Epoch'), number('Holdfast-Index'));
  if (answer.ok) return answer;
  if (answer.status === 404 && !answer.headers.get('Content-Type')) return answer;
  const text = await answer.text();
  let message = `${answer.status} ${answer.statusText}`;
  try { message = JSON.parse(text).message ?? message; } catch { /* not ours */ }
  if (answer.status === 401 && !authorization) signOut('The key is not valid any more. Please sign in again.');
  throw new Refused(answer.status, message);
}

const isOfRoom = (path) => {
  const [, , objectClass, id] = path.split('?')[0].split('/');
  return objectClass === roomClass && id === escaped(room.name);
};
const objectPath = (kind, name = '') => `/${kind}/${roomClass}/${escaped(room.name)}${name && '/' + escaped(name)}`;

// The answer's place in the room's history; answers may overtake each other, so the newest counts.
function noteOwner(owner, epoch, index) {
  if (epoch < cluster.epoch || epoch === cluster.epoch && index < cluster.index) return;
  if (cluster.epoch && epoch > cluster.epoch) watch.noteChange(cluster.owner, owner, cluster.epoch, epoch);
  const isSame = owner === cluster.owner;
  Object.assign(cluster, { owner, epoch, index });
  say('owner', owner);
  say('epoch', String(epoch));
  say('index', String(index));
  if (isSame) return;
  say('kill-hint', `scripts/cluster kill ${owner}`);
  showNodes();
}

/* ---- signing in ---- */

async function signIn() {
  const pair = new TextEncoder().encode(`${session.key}:${session.secret}`);
  const basic = `Basic ${btoa(String.fromCharCode(...pair))}`;
  const answer = await call('GET', '/auth/token', undefined, { authorization: basic, patienceMs: 5000 });
  session.token = await answer.text();
  const claims = JSON.parse(atob(session.token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
  session.expiresAt = claims.exp; // milliseconds
  clearTimeout(signIn.timer);
  signIn.timer = setTimeout(refresh, Math.min(Math.max(session.expiresAt - Date.now() - 120_000, 1000), 2 ** 31 - 1));
}

async function refresh() {
  try {
    await signIn();
  } catch (fault) {
    if (fault.status === 401 || fault.status === 403) signOut(fault.message);
    else signIn.timer = setTimeout(refresh, 5000);
  }
}

function signOut(problem = '') {
  clearTimeout(signIn.timer);
  watch.stop();
  closeSocket();
  sessionStorage.removeItem('holdfast');
  Object.assign(session, { token: '', secret: '' });
  $('secret').value = '';
  $('problem').textContent = problem;
  document.body.dataset.stage = 'welcome';
  $('key').focus();
}

function remember() {
  const { project, key, secret, name, author } = session;
  sessionStorage.setItem('holdfast', JSON.stringify({ project, key, secret, name, author }));
}

// Credentials may come in the fragment, which no server ever sees; they do not stay in the address bar.
function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  const kept = given.get('room');
  history.replaceState(null, '', location.pathname + location.search + (kept ? `#room=${escaped(kept)}` : ''));
  return Object.fromEntries(['project', 'key', 'secret', 'name'].map((field) => [field, given.get(field)]));
}

async function enter() {
  await readNodes();
  if (!cluster.current) throw new Refused(503, 'No node answers.');
  await signIn();
  remember();
  $('my-name').value = session.name;
  document.body.dataset.stage = 'room';
  readRooms();
  await openRoom(new URLSearchParams(location.hash.slice(1)).get('room') || firstRooms[0]);
}

/* ---- the socket ---- */

function openSocket() {
  const mine = room.socket;
  const node = cluster.current;
  const url = `${node.url.replace(/^http/, 'ws')}/project/${escaped(session.project)}${objectPath('ws')}${mine.id ? '?resume=true' : ''}`;
  let line;
  try {
    // Not in the address, where logs would find it: the token travels as a subprotocol.
    line = new WebSocket(url, ['holdfast', `bearer.${session.token}`]);
  } catch {
    return reopen(mine, node, 1006);
  }
  mine.line = line;
  mine.node = node;
  showLink('wait', `Connecting to ${node.name}…`);
  const tooLate = setTimeout(() => mine.line === line && giveUp(mine), callTimeoutMs);
  line.onopen = () => {
    if (mine.id) send({ event: 'resume', connectionId: mine.id, ...(mine.at && { after: mine.at }) });
    else send({ event: 'ping' });
  };
  line.onmessage = ({ data }) => {
    clearTimeout(tooLate);
    let frame;
    try { frame = JSON.parse(data); } catch { return; }
    if (mine.line === line && mine === room.socket) take(mine, frame);
  };
  line.onclose = ({ code, reason }) => {
    clearTimeout(tooLate);
    if (mine.line === line && mine === room.socket) reopen(mine, node, code, reason);
  };
}

function send(frame) {
  const line = room.socket?.line;
  if (line?.readyState === WebSocket.OPEN) line.send(JSON.stringify(frame));
}

async function reopen(mine, node, code, reason = '') {
  stopPings(mine);
  mine.line = null;
  // A line that breaks as soon as it is up counts as a failed attempt.
  if (mine.isUp && performance.now() - mine.upSince > 5000) mine.attempts = 0;
  mine.isUp = false;
  if (reason.includes('TierLimitExceeded')) return signOut(reason);
  if (code === 1008) mine.id = '';
  showLink('wait', 'Reconnecting…');
  leaveNode(node);
  const attempt = mine.attempts++;
  if (attempt > 0) await wait(Math.min(100 * 2 ** attempt, 5000) * (0.75 + Math.random() / 2));
  if (mine !== room.socket) return;
  // A socket that is refused does not say why: the token may be what is wrong.
  if (attempt % 4 === 3) await refresh();
  if (mine === room.socket) openSocket();
}

function closeSocket() {
  const mine = room.socket;
  room.socket = null;
  if (!mine) return;
  stopPings(mine);
  if (mine.line?.readyState === WebSocket.OPEN) {
    mine.line.send(JSON.stringify({ event: 'presence:leave' }));
    mine.line.close(1000);
  } else {
    mine.line?.close();
  }
}

function take(mine, frame) {
  if (frame.at) notePlace(mine, frame.at);
  switch (frame.event) {
    case 'connected':
      // After `resume` the acknowledgement decides which id holds.
      if (!mine.id) { mine.id = frame.connectionId; beginStay(mine, true); }
      break;
    case 'resume:ack': {
      const isNew = frame.connectionId !== mine.id;
      mine.id = frame.connectionId;
      beginStay(mine, isNew);
      break;
    }
    case 'pong': clearTimeout(mine.pongDue); mine.pongDue = 0; break;
    case 'setItem': takeItem(frame.payload); break;
    case 'removeItem': forgetMessage(frame.payload.prop); break;
    case 'presence:join': setPerson(frame.connectionId, frame.payload, frame.joinedAt); break;
    case 'presence:leave': dropPerson(frame.connectionId); break;
    case 'message': takeNote(frame.payload); break;
    case 'gap': readHistory(); readPeople(); break;
    case 'error': if (String(frame.payload).includes('invalid resume')) mine.id = ''; break;
  }
}

// Every event has a place in the room's history, and comes once and in order, whoever owns the room.
function notePlace(mine, at) {
  const was = mine.at;
  const step = was ? at.epoch - was.epoch || at.index - was.index || (at.n ?? 0) - (was.n ?? 0) : 1;
  if (step <= 0) { watch.disorder++; return; }
  mine.at = { epoch: at.epoch, index: at.index, n: at.n ?? 0 };
}

function beginStay(mine, isNew) {
  mine.isUp = true;
  mine.upSince = performance.now();
  mine.node.isLive = true;
  showLink('on', `through ${mine.node.name}`, 'Connected ');
  startPings(mine);
  if (isNew || mine.joinedAs !== joinPayload()) join(mine);
  if (isNew) readHistory();
  readPeople();
  showNodes();
}

function startPings(mine) {
  stopPings(mine);
  mine.pings = setInterval(() => {
    send({ event: 'ping' });
    // A node that hangs does not say so, and closing towards it takes long: the line is given up.
    mine.pongDue ||= setTimeout(() => giveUp(mine), pongMs);
  }, pingMs);
}

function stopPings(mine) {
  clearInterval(mine.pings);
  clearTimeout(mine.pongDue);
  mine.pongDue = 0;
}

function giveUp(mine) {
  const { line, node } = mine;
  mine.line = null;
  line?.close();
  if (mine === room.socket) reopen(mine, node, 1006);
}

const joinPayload = () => JSON.stringify({ name: session.name, node: room.socket.node.name });

function join(mine) {
  mine.joinedAs = joinPayload();
  send({ event: 'presence:join', payload: JSON.parse(mine.joinedAs) });
}

/* ---- rooms ---- */

async function openRoom(name) {
  closeSocket();
  room.name = name;
  room.messages.clear();
  room.people.clear();
  room.typists.clear();
  $('messages').replaceChildren();
  Object.assign(cluster, { owner: '', epoch: 0, index: 0 });
  for (const id of ['owner', 'epoch', 'index']) say(id, '–');
  say('room-title', name);
  document.title = `${name} · Holdfast demo`;
  history.replaceState(null, '', `#room=${escaped(name)}`);
  room.rooms.add(name);
  room.socket = { id: '', at: null, attempts: 0, line: null, node: null, isUp: false, joinedAs: '' };
  watch.restart();
  showRooms();
  showPeople();
  showTypists();
  openSocket();
}

async function readRooms() {
  try {
    const answer = await call('GET', `/cache-keys/${directory.objectClass}/${directory.id}`);
    for (const name of await answer.json()) room.rooms.add(name);
    showRooms();
  } catch { /* the first rooms are there anyway */ }
}

async function makeRoom(name) {
  await openRoom(name);
  if (firstRooms.includes(name)) return;
  const path = `/cache/${directory.objectClass}/${directory.id}/${escaped(name)}`;
  await call('POST', path, { value: session.name, ttl: 7 * messageLifetimeMs });
}

function showRooms() {
  const names = [...firstRooms, ...[...room.rooms].filter((name) => !firstRooms.includes(name)).sort()];
  const focused = document.activeElement?.dataset?.room;
  $('rooms').replaceChildren(...names.map((name) => {
    const button = make('button', { type: 'button', 'data-room': name, onclick: () => chooseRoom(name) }, name);
    button.setAttribute('aria-current', String(name === room.name));
    return make('li', {}, button);
  }));
  if (focused) $('rooms').querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
}

function chooseRoom(name) {
  if (name !== room.name) openRoom(name);
  showView('chat');
}

/* ---- people ---- */

async function readPeople() {
  const asked = room.socket;
  try {
    const list = await (await call('GET', objectPath('presence-list'))).json();
    if (asked !== room.socket) return;
    room.people.clear();
    for (const { connectionId, joinedAt, data } of list) room.people.set(connectionId, { ...data, joinedAt });
    showPeople();
  } catch { /* the events go on */ }
}

function setPerson(id, data, joinedAt) {
  room.people.set(id, { ...data, joinedAt });
  showPeople();
}

function dropPerson(id) {
  room.people.delete(id);
  showPeople();
}

const initials = (name) =>
  String(name ?? '?').split(/\s+/).map((word) => word[0] ?? '').join('').slice(0, 2).toUpperCase();

function showPeople() {
  const mine = room.socket?.id;
  const everybody = [...room.people].sort(([a, x], [b, y]) => (b === mine) - (a === mine) || x.joinedAt - y.joinedAt);
  say('people-count', String(everybody.length));
  $('people').replaceChildren(...everybody.map(([id, { name, node }]) => make('li', { 'data-id': id },
    make('span', { class: 'face', 'aria-hidden': 'true' }, initials(name)),
    make('span', {},
      make('b', {}, String(name ?? 'Somebody')),
      make('small', {}, `${id === mine ? 'you, ' : ''}through ${node ?? '?'}`)))));
}

/* ---- messages ---- */

function takeItem({ prop, value, createdAt }) {
  if (prop.startsWith('m.')) setMessage(prop, value, createdAt);
  else if (prop === watch.itemName) watch.takeEcho(value);
}

async function readHistory() {
  const asked = room.socket;
  try {
    const items = await (await call('GET', objectPath('cache') + '?prefix=m.')).json();
    if (asked !== room.socket) return;
    const newest = Object.entries(items).sort(([, a], [, b]) => a.createdAt - b.createdAt).slice(-shownMessages);
    for (const [prop, { value, createdAt }] of newest) setMessage(prop, value, createdAt);
    scrollDown();
  } catch (fault) {
    if (fault.status !== 401) setTimeout(() => asked === room.socket && readHistory(), 1000);
  }
}

// A message has one name from its sender on, so history, event and answer may all bring it: it is shown once.
function setMessage(prop, value, createdAt, state = '') {
  const known = room.messages.get(prop);
  if (known && (state === 'pending' || known.state === '')) return;
  const element = known?.element ?? make('li', { 'data-prop': prop });
  const entry = { prop, value: value ?? {}, createdAt, state, element };
  room.messages.set(prop, entry);
  const isNearEnd = nearEnd();
  showMessage(entry);
  place(entry);
  if (entry.value.author !== session.author) {
    room.typists.delete(entry.value.author);
    showTypists();
  }
  $('empty').hidden = true;
  if (isNearEnd || entry.value.author === session.author) scrollDown();
  else if (!known) $('newer').hidden = false;
  trim();
}

function showMessage({ element, value, createdAt, state, prop }) {
  const isMine = value.author === session.author;
  element.className = `${isMine ? 'mine ' : ''}${state}`;
  const time = new Date(createdAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const parts = [
    make('p', { class: 'who' }, make('b', {}, String(value.from ?? 'Somebody')), ` ${time}`),
    make('p', { class: 'said' }, String(value.text ?? '')),
  ];
  const again = { type: 'button', class: 'quiet', onclick: () => post(prop, value) };
  if (state === 'failed') parts.push(make('button', again, 'Not sent. Try again'));
  element.replaceChildren(...parts);
}

// In the order of their times; what is still on its way stands last.
function place(entry) {
  const list = $('messages');
  const rank = ({ state, createdAt }) => (state ? Infinity : createdAt);
  const before = (a, b) => rank(a) - rank(b) < 0 || rank(a) === rank(b) && a.createdAt <= b.createdAt;
  let next = null;
  for (let element = list.lastElementChild; element; element = element.previousElementSibling) {
    if (element === entry.element) continue;
    if (before(room.messages.get(element.dataset.prop), entry)) break;
    next = element;
  }
  if (!entry.element.isConnected || entry.element.nextElementSibling !== next) list.insertBefore(entry.element, next);
  group(entry.element);
  group(entry.element.nextElementSibling);
}

function group(element) {
  const [entry, before] = [element, element?.previousElementSibling].map((one) => room.messages.get(one?.dataset.prop));
  element?.classList.toggle('more', Boolean(before) && before.value.author === entry.value.author
    && before.value.from === entry.value.from && Math.abs(entry.createdAt - before.createdAt) < 300e3);
}

function forgetMessage(prop) {
  const entry = room.messages.get(prop);
  if (!entry) return;
  const next = entry.element.nextElementSibling;
  entry.element.remove();
  room.messages.delete(prop);
  group(next);
}

function trim() {
  while (room.messages.size > shownMessages) forgetMessage($('messages').firstElementChild.dataset.prop);
}

function sendMessage(text) {
  const prop = `m.${Date.now().toString(36)}.${randomID()}`;
  return post(prop, { text, from: session.name, author: session.author });
}

async function post(prop, value) {
  const at = room.messages.get(prop);
  if (at) at.state = 'failed';
  const asked = room.name;
  setMessageState(prop, value, 'pending');
  try {
    const item = await (await call('POST', objectPath('cache', prop), { value, ttl: messageLifetimeMs })).json();
    if (asked === room.name) setMessage(prop, value, item.createdAt);
  } catch {
    if (asked === room.name && room.messages.get(prop)?.state) setMessageState(prop, value, 'failed');
  }
}

function setMessageState(prop, value, state) {
  const entry = room.messages.get(prop);
  if (!entry) return setMessage(prop, value, Date.now(), state);
  entry.state = state;
  showMessage(entry);
}

const nearEnd = () => $('scroll').scrollHeight - $('scroll').scrollTop - $('scroll').clientHeight < 80;

function scrollDown() {
  $('scroll').scrollTop = $('scroll').scrollHeight;
  $('newer').hidden = true;
}

/* ---- typing: notes that are passed on and kept by nobody ---- */

let lastTypingMs = 0;

function noteTyping() {
  if (Date.now() - lastTypingMs < 2000 || !$('message').value.trim()) return;
  lastTypingMs = Date.now();
  send({ event: 'message', payload: { kind: 'typing', author: session.author, name: session.name } });
}

function takeNote(payload) {
  if (payload?.kind !== 'typing' || payload.author === session.author) return;
  room.typists.set(payload.author, { name: String(payload.name), until: Date.now() + 4000 });
  showTypists();
}

function showTypists() {
  for (const [author, { until }] of room.typists) if (until < Date.now()) room.typists.delete(author);
  const names = [...room.typists.values()].map(({ name }) => name);
  say('typing', names.length === 0 ? '' : names.length > 2 ? 'Several people are typing…'
    : `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} typing…`);
}

/* ---- which node ---- */

function showLink(state, text, wideText = '') {
  $('link').dataset.state = state;
  say('link-wide', wideText);
  say('link-text', text);
}

// One radio button per node, made once and then only told what changed: the focus stays where it is.
function showNodes() {
  const list = $('nodes');
  for (const node of cluster.nodes) {
    let row = list.querySelector(`[data-node="${CSS.escape(node.name)}"]`);
    if (!row) {
      row = makeNodeRow(node);
      list.append(row);
    }
    row.classList.toggle('away', !node.isLive);
    row.querySelector('input').checked = node === cluster.current;
    const tags = [];
    if (node.name === cluster.owner) tags.push(make('b', {}, 'owns this room'));
    if (!node.isLive) tags.push('away');
    else if (node.name === cluster.serving) tags.push('serves this page');
    const target = row.querySelector('.node-tags');
    const parts = tags.flatMap((tag, index) => (index ? [make('br'), tag] : [tag]));
    const shown = tags.map((tag) => tag.textContent ?? tag).join();
    if (target.dataset.shown === shown) continue;
    target.dataset.shown = shown;
    target.replaceChildren(...parts);
  }
}

function makeNodeRow(node) {
  const title = `Open the page at ${node.name} in a new tab`;
  return make('div', { class: 'node', 'data-node': node.name },
    make('label', {},
      make('input', { type: 'radio', name: 'node', value: node.name, onchange: () => chooseNode(node) }),
      make('span', { class: 'node-name' }, node.name), make('span', { class: 'node-tags' })),
    make('button', { type: 'button', title, 'aria-label': title, onclick: () => openPageAt(node) }, '↗'));
}

// The socket moves: it resumes at the other node under the same id.
function chooseNode(node) {
  cluster.current = node;
  const mine = room.socket;
  if (mine?.line) {
    const old = mine.line;
    mine.line = null;
    stopPings(mine);
    openSocket();
    // The new line takes the place over; closing the old one first would look like leaving.
    setTimeout(() => old.close(), 1000);
  }
  showNodes();
}

function openPageAt(node) {
  const { project, key, secret } = session;
  const fragment = new URLSearchParams({ project, key, secret, name: '', room: room.name });
  window.open(`${node.url}/demo#${fragment}`, '_blank', 'noopener');
}

/* ---- watching the failover ---- */

const watch = {
  itemName: `beat.${session.page}`,
  everyMs: 100, windowMs: 12_000, atOnce: 3, lostAfterMs: 5000, aroundMs: 1000,
  isOn: false, openCalls: 0, beats: [], silences: [], marks: [],
  sent: 0, done: 0, lost: 0, disorder: 0, longestMs: 0, lastEchoAt: 0,

  start() {
    this.restart();
    this.isOn = true;
    $('watch').setAttribute('aria-checked', 'true');
    this.timer = setInterval(() => this.beat(), this.everyMs);
    requestAnimationFrame(() => this.draw());
  },

  stop() {
    this.isOn = false;
    clearInterval(this.timer);
    $('watch').setAttribute('aria-checked', 'false');
  },

  restart() {
    Object.assign(this, { beats: [], silences: [], marks: [] });
    Object.assign(this, { sent: 0, done: 0, lost: 0, disorder: 0, longestMs: 0, lastEchoAt: 0 });
    $('changes').replaceChildren(make('li', { class: 'note' }, 'None since you began to watch.'));
    this.showFigures();
    this.paint();
  },

  // A few calls may be under way at once, as a stalled one must not keep the next from being seen.
  async beat() {
    if (this.openCalls >= this.atOnce || !room.socket) return;
    const beat = { number: ++this.sent, room: room.name, at: performance.now(), tripMs: 0, echoMs: 0 };
    this.beats.push(beat);
    this.openCalls++;
    try {
      await call('POST', objectPath('cache', this.itemName), { value: beat.number, ttl: 60_000 });
      beat.tripMs = performance.now() - beat.at;
      if (beat.room === room.name) this.done++;
    } catch { beat.isFailed = true; }
    this.openCalls--;
  },

  takeEcho(number) {
    const now = performance.now();
    const beat = this.beats.findLast((one) => one.number === number);
    if (!beat) return;
    if (beat.echoMs) { this.disorder++; return; }
    beat.echoMs = now - beat.at;
    if (beat.isLost) { beat.isLost = false; this.lost--; }
    if (this.lastEchoAt && !document.hidden) this.noteSilence(this.lastEchoAt, now);
    this.lastEchoAt = now;
  },

  noteSilence(from, to) {
    const silence = { from, to, lastedMs: to - from };
    this.longestMs = Math.max(this.longestMs, silence.lastedMs);
    this.silences.push(silence);
    this.marks.filter((mark) => to - mark.at < this.aroundMs).forEach((mark) => this.measure(mark));
  },

  noteChange(from, to, oldEpoch, epoch) {
    if (!this.isOn) return;
    const mark = { at: performance.now(), clock: new Date(), from, to, oldEpoch, epoch, silenceMs: 0 };
    this.marks.push(mark);
    this.showChanges();
    this.measure(mark);
  },

  // The event that ends the silence may come before or after the answer that names the new owner.
  measure(mark) {
    const near = this.silences.filter(({ from, to }) => mark.at - to < this.aroundMs && from - mark.at < this.aroundMs);
    const silenceMs = Math.max(0, ...near.map((one) => one.lastedMs));
    if (silenceMs === mark.silenceMs) return;
    mark.silenceMs = silenceMs;
    this.showChanges();
  },

  showChanges() {
    $('changes').replaceChildren(...this.marks.slice(-4).reverse().map((mark) => make('li', {},
      make('time', {}, mark.clock.toLocaleTimeString([], { hour12: false })),
      make('span', {}, `${mark.from} → ${mark.to}, epoch ${mark.epoch}`),
      make('b', {}, mark.silenceMs ? `${Math.round(mark.silenceMs)} ms` : ''))));
  },

  draw() {
    const now = performance.now();
    for (const beat of this.beats) {
      if (beat.tripMs && !beat.echoMs && !beat.isLost && now - beat.at - beat.tripMs > this.lostAfterMs) {
        beat.isLost = true;
        this.lost++;
      }
    }
    // A silence that goes on counts already.
    if (this.isOn && this.lastEchoAt) this.longestMs = Math.max(this.longestMs, now - this.lastEchoAt);
    const begin = now - this.windowMs - 1000;
    this.beats = this.beats.filter((beat) => beat.at > begin || !beat.tripMs && !beat.isFailed);
    this.silences = this.silences.filter((one) => one.to > begin);
    this.paint();
    if (now - (this.figuresAt ?? 0) > 250) { this.figuresAt = now; this.showFigures(); }
    if (this.isOn) requestAnimationFrame(() => this.draw());
  },

  showFigures() {
    const recent = this.beats.slice(-50);
    const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
    const ms = (value) => (value === undefined ? '–' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);
    const trip = median(recent.map((beat) => beat.tripMs).filter(Boolean));
    say('f-trip', ms(trip));
    say('f-echo', ms(median(recent.map((beat) => beat.echoMs).filter(Boolean))));
    say('f-silence', this.longestMs ? ms(this.longestMs) : '–');
    say('f-beats', this.sent ? `${this.done}/${this.sent}` : '–');
    say('f-lost', this.sent ? String(this.lost) : '–');
    say('f-order', this.sent ? String(this.disorder) : '–');
    $('strip').setAttribute('aria-label', this.sent
      ? `Beats: round trip ${ms(trip)}, event after ${$('f-echo').textContent}, longest silence ${ms(this.longestMs)}`
      : 'No beats yet');
  },

  // Time runs to the right; heights are logarithmic, 1 ms to 3 s, so that both the calm and the pause show.
  paint() {
    const canvas = $('strip');
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const scale = devicePixelRatio || 1;
    if (!width) return;
    if (canvas.width !== Math.round(width * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext('2d');
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [base, top, right] = [height - 8, 10, width - 10];
    const now = this.isOn ? performance.now() : this.stoppedAt ?? performance.now();
    const x = (at) => right - (now - at) / this.windowMs * (right - 34);
    const y = (ms) => base - Math.min(1, Math.max(0, Math.log10(Math.max(ms, 1)) / 3.5)) * (base - top);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = '11px system-ui, sans-serif';
    for (const [ms, name] of [[1, '1 ms'], [10, '10'], [100, '100'], [1000, '1 s']]) {
      pen.fillStyle = colour('--line');
      pen.fillRect(34, Math.round(y(ms)), right - 34, 1);
      pen.fillStyle = colour('--soft');
      pen.fillText(name, 6, y(ms) + (ms === 1 ? 0 : 4));
    }
    pen.save();
    pen.beginPath();
    pen.rect(34, 0, right - 34 + 4, height);
    pen.clip();
    this.paintBeats(pen, x, y, { base, top, now, colour });
    pen.restore();
  },

  paintBeats(pen, x, y, { base, top, now, colour }) {
    const silences = this.lastEchoAt && this.isOn
      ? [...this.silences, { from: this.lastEchoAt, to: now, lastedMs: now - this.lastEchoAt }] : this.silences;
    pen.fillStyle = colour('--hush');
    for (const { from, to, lastedMs } of silences) {
      if (lastedMs < 2 * this.everyMs) continue;
      pen.globalAlpha = .22;
      pen.fillRect(x(from), top - 6, Math.max(2, x(to) - x(from)), base - top + 6);
    }
    for (const beat of this.beats) {
      const trip = beat.tripMs || now - beat.at;
      pen.fillStyle = colour(trip > 2 * this.everyMs ? '--hush' : '--accent');
      pen.globalAlpha = beat.tripMs ? .45 : .25;
      pen.fillRect(x(beat.at) - .8, y(trip), 1.6, base - y(trip));
      if (!beat.echoMs) continue;
      pen.globalAlpha = 1;
      pen.beginPath();
      pen.arc(x(beat.at), y(beat.echoMs), 1.4, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    pen.fillStyle = colour('--ink');
    pen.save();
    for (const mark of this.marks) {
      pen.fillRect(x(mark.at), top - 6, 1, base - top + 6);
      const text = mark.silenceMs ? `${mark.to}, ${Math.round(mark.silenceMs)} ms` : mark.to;
      const isNearEdge = x(mark.at) + 6 + pen.measureText(text).width > x(now);
      pen.textAlign = isNearEdge ? 'right' : 'left';
      pen.fillText(text, x(mark.at) + (isNearEdge ? -12 : 4), top + 4);
    }
    pen.restore();
  },
};

/* ---- what the user does ---- */

function showView(view) {
  document.body.dataset.view = view;
  for (const button of $('views').children) button.setAttribute('aria-pressed', String(button.dataset.view === view));
  if (view === 'cluster') watch.paint();
  if (view === 'chat') scrollDown();
}

$('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.submitter ?? event.target.querySelector('button');
  for (const field of ['name', 'project', 'key', 'secret']) session[field] = $(field).value.trim();
  button.disabled = true;
  say('problem', '');
  try {
    await enter();
    $('message').focus();
  } catch (fault) {
    say('problem', fault.status === 401 ? 'This key and secret do not open that project.' : fault.message);
  }
  button.disabled = false;
});

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('message').value.trim();
  $('message').value = '';
  lastTypingMs = 0;
  if (text) sendMessage(text);
  $('message').focus();
});

$('new-room').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('room-name').value.trim().replaceAll(/[\/\\\s]+/g, '-');
  $('room-name').value = '';
  if (name) makeRoom(name).catch(() => {});
  showView('chat');
});

$('rename').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('my-name').value.trim();
  if (!name) return;
  session.name = name;
  remember();
  if (room.socket?.isUp) join(room.socket);
});

$('skip').addEventListener('click', (event) => {
  event.preventDefault();
  showView('chat');
  $('message').focus();
});

$('message').addEventListener('input', noteTyping);
$('newer').addEventListener('click', () => { scrollDown(); $('message').focus(); });
$('scroll').addEventListener('scroll', () => { if (nearEnd()) $('newer').hidden = true; }, { passive: true });
$('sign-out').addEventListener('click', () => signOut());
$('views').addEventListener('click', ({ target }) => target.dataset.view && showView(target.dataset.view));
$('watch').addEventListener('click', () => {
  watch.stoppedAt = performance.now();
  if (watch.isOn) watch.stop(); else watch.start();
});
addEventListener('resize', () => watch.paint());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => watch.paint());
// Browsers slow the clocks of hidden pages: that is no silence of the cluster.
document.addEventListener('visibilitychange', () => { watch.lastEchoAt = 0; });
addEventListener('pagehide', () => closeSocket());
addEventListener('pageshow', ({ persisted }) => { if (persisted) location.reload(); });
// Another room, or other credentials, were put into the address.
addEventListener('hashchange', () => location.reload());
setInterval(showTypists, 1000);
setInterval(() => {
  if (document.body.dataset.stage !== 'room') return;
  readNodes();
  readRooms();
}, 15_000);

async function start() {
  const given = takeFragment();
  let known = {};
  try { known = JSON.parse(sessionStorage.getItem('holdfast')) ?? {}; } catch { /* as if there were none */ }
  const useGiven = given.key && given.secret;
  Object.assign(session, known);
  if (useGiven) Object.assign(session, { project: given.project || 'demo', key: given.key, secret: given.secret });
  session.name = given.name || session.name || `Guest ${100 + Math.floor(Math.random() * 900)}`;
  for (const field of ['name', 'project', 'key']) if (session[field]) $(field).value = session[field];
  try {
    if (session.key && session.secret) await enter();
    else document.body.dataset.stage = 'welcome';
  } catch (fault) {
    signOut(fault.status === 401 ? 'This key and secret do not open that project.' : fault.message);
  }
}

start();
