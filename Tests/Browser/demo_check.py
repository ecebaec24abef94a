"""The demo page in a real browser, against a running cluster of at least two nodes.

usage: demo_check.py CLUSTER_JSON [SCREENSHOT_DIRECTORY]

Two pages at two nodes chat; the owner of their room is killed in between, then the node of one of them. The last line
reads `N passed, M failed`.
"""

import json
import os
import signal
import sys
import time
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from playwright.sync_api import TimeoutError as Timeout
from playwright.sync_api import sync_playwright

PATIENCE_MS = 15_000
# A pause within this is a failover; beyond it, something else is wrong.
LONGEST_SILENCE_MS = 5_000
DESKTOP = {"width": 1360, "height": 860}
PHONE = {"width": 390, "height": 844}


class Checks:
    """Counts what holds; one that does not hold stops none of the others."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, holds, seen=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok    ' if holds else 'FAILED'} {name}{'' if holds or seen == '' else f': {seen}'}", flush=True)

    def eventually(self, name, page, expression, argument=None, timeout_ms=PATIENCE_MS):
        """Waits until `expression`, a function of the page, is true."""
        try:
            page.wait_for_function(expression, arg=argument, timeout=timeout_ms)
            self.check(name, True)
        except Timeout:
            self.check(name, False, f"not within {timeout_ms} ms")


class Cluster:
    def __init__(self, path):
        self.path = path
        self.read()

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            self.content = json.load(file)
        self.nodes = {node["name"]: node for node in self.content["nodes"]}

    def link(self, node, **more):
        fragment = {
            "project": self.content["project"], "key": self.content["apiKey"],
            "secret": self.content["apiSecret"], **more,
        }
        return f"{self.nodes[node]['url']}/demo#{urlencode(fragment)}"

    def owner(self, room):
        """By the admin API, from the first node that answers."""
        query = urlencode({"project": self.content["project"], "class": "chat", "id": room})
        for node in self.nodes.values():
            request = Request(f"{node['url']}/admin/v1/explain?{query}")
            request.add_header("Authorization", f"Bearer {self.content['adminToken']}")
            try:
                with urlopen(request, timeout=5) as answer:
                    return json.load(answer)["owner"]
            except OSError:
                continue
        return None

    def pid(self, name):
        """As the node itself wrote it down: it changes with each restart."""
        with open(os.path.join(self.nodes[name]["data"], "pids"), encoding="utf-8") as file:
            return int(file.readline().split()[1])

    def kill(self, name):
        os.kill(self.pid(name), signal.SIGKILL)

    def wait_ready(self, name):
        for _ in range(150):
            try:
                with urlopen(f"{self.nodes[name]['url']}/readyz", timeout=2):
                    return True
            except OSError:
                time.sleep(0.1)
        return False


class Run:
    def __init__(self, browser, cluster, shots):
        self.browser = browser
        self.cluster = cluster
        self.shots = shots
        self.checks = Checks()
        self.complaints = []
        self.sent = []
        # A room of its own, so that a run sees nothing of the one before.
        self.room = f"check-{int(time.time() * 1000):x}"

    # ---- pages ----

    def new_page(self, viewport, scheme="light", phone=False):
        context = self.browser.new_context(
            viewport=viewport, color_scheme=scheme, is_mobile=phone, has_touch=phone,
            device_scale_factor=2 if phone else 1)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self.note_console)
        return page

    def note_console(self, message):
        # A node that was killed refuses connections, a wrong secret is refused, and the browser says so.
        expected = ("ERR_", "WebSocket connection", "status of 401")
        if message.type == "error" and not any(part in message.text for part in expected):
            self.complaints.append(message.text)

    def enter(self, page, node, name):
        page.goto(self.cluster.link(node, name=name, room=self.room))
        self.eventually(f"{name} is connected through {node}", page, f"""() =>
            document.querySelector('#link').dataset.state === 'on'
            && document.querySelector('#link-text').textContent.endsWith('{node}')""")

    def shot(self, page, name):
        if self.shots:
            page.screenshot(path=os.path.join(self.shots, f"{name}.png"))

    # ---- what the pages show ----

    def check(self, *arguments):
        self.checks.check(*arguments)

    def eventually(self, *arguments, **options):
        self.checks.eventually(*arguments, **options)

    def say(self, page, text):
        page.fill("#message", text)
        page.press("#message", "Enter")
        self.sent.append(text)

    def talk(self, page, text, count=80, every_ms=10):
        """Begins to say many things, and returns when the first are said."""
        page.evaluate("""([text, count, everyMs]) => {
            let number = 0;
            window.talking = setInterval(() => {
                document.querySelector('#message').value = `${text}, ${++number}`;
                document.querySelector('#compose').requestSubmit();
                if (number === count) window.talking = clearInterval(window.talking);
            }, everyMs);
        }""", [text, count, every_ms])
        self.sent += [f"{text}, {number}" for number in range(1, count + 1)]
        page.wait_for_function("(text) => document.querySelector('#messages').textContent.includes(text)",
                               arg=f"{text}, 10")

    def hear_out(self, page):
        page.wait_for_function("() => !window.talking")

    def sees(self, page, who, texts):
        self.eventually(f"{who} sees all up to: {texts[-1]}", page, """(texts) => {
            const said = [...document.querySelectorAll('#messages .said')].map((one) => one.textContent);
            return texts.every((text) => said.includes(text));
        }""", texts)

    def said(self, page):
        """The settled messages; one that is still on its way is none yet."""
        return page.eval_on_selector_all(
            "#messages li:not(.pending):not(.failed) .said", "(all) => all.map((one) => one.textContent)")

    def has_all_once(self, page, who):
        said = self.said(page)
        self.check(f"{who} has every message once", sorted(said) == sorted(self.sent), {
            "missing": [text for text in self.sent if text not in said],
            "twice": sorted({text for text in said if said.count(text) > 1}),
        })

    def people(self, page, who, names):
        self.eventually(f"{who} sees {len(names)} here: {', '.join(names)}", page, """(names) => {
            const here = [...document.querySelectorAll('#people b')].map((one) => one.textContent);
            return here.length === names.length && names.every((name) => here.includes(name));
        }""", names)

    def figure(self, page, figure):
        text = page.inner_text(f"#{figure}").split("/")[0].split(" ")[0]
        return float(text) if text not in ("", "–") else None

    # ---- the story ----

    def run(self):
        names = list(self.cluster.nodes)
        self.sign_in_by_hand(names[0])
        owner = self.cluster.owner(self.room)
        # Pages at two nodes; the room's owner is neither of them, if there are three.
        others = [name for name in names if name != owner]
        self.at = {"Ada": others[0], "Ben": (others + names)[1]}
        self.ada = self.new_page(DESKTOP)
        self.ben = self.new_page(PHONE, "dark", phone=True)
        self.chat()
        self.kill_owner()
        self.kill_own_node()
        self.move()
        self.reload()
        self.keyboard()
        self.leave()
        self.check("no script failed, and the policy refused nothing", not self.complaints, self.complaints)

    def sign_in_by_hand(self, node):
        page = self.new_page(DESKTOP)
        page.goto(f"{self.cluster.nodes[node]['url']}/demo")
        page.wait_for_selector("#sign-in")
        self.shot(page, "1-welcome-desktop-light")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size(PHONE)
        self.shot(page, "1-welcome-phone-dark")
        self.no_sideways(page, "the welcome page on a phone")
        self.fill_in(page, "wrong")
        self.eventually("a wrong secret is refused with a word", page,
                        "() => document.querySelector('#problem').textContent !== ''")
        self.fill_in(page, self.cluster.content["apiSecret"])
        self.eventually("the form lets one in", page, "() => document.body.dataset.stage === 'room'")
        kept = page.evaluate("() => [localStorage.length, document.cookie]")
        self.check("nothing is kept beyond the tab", kept == [0, ""], kept)
        page.context.close()

    def fill_in(self, page, secret):
        page.fill("#key", self.cluster.content["apiKey"])
        page.fill("#secret", secret)
        page.press("#secret", "Enter")

    def chat(self):
        self.enter(self.ada, self.at["Ada"], "Ada")
        self.enter(self.ben, self.at["Ben"], "Ben")
        for who, page in (("Ada", self.ada), ("Ben", self.ben)):
            secret = self.cluster.content["apiSecret"]
            self.check(f"{who}'s address holds no secret", secret not in page.url and "key=" not in page.url)
            self.people(page, who, ["Ada", "Ben"])
        self.say(self.ada, "Good evening. Is anybody at the other node?")
        self.sees(self.ben, "Ben", self.sent)
        self.say(self.ben, "Here. I came in by another door.")
        self.sees(self.ada, "Ada", self.sent)
        self.ben.locator("#message").press_sequentially("hm", delay=20)
        self.eventually("Ada sees Ben typing", self.ada,
                        "() => document.querySelector('#typing').textContent === 'Ben is typing…'")
        self.ben.fill("#message", "")
        self.eventually("the typing note goes away", self.ada,
                        "() => document.querySelector('#typing').textContent === ''")

    def kill_owner(self):
        for page in (self.ada, self.ben):
            page.evaluate("() => document.querySelector('#watch').click()")
        self.ada.wait_for_function("() => parseInt(document.querySelector('#f-beats').textContent) >= 20")
        shown = self.ada.inner_text("#owner")
        self.check("the page names the owner that explain names", shown == self.cluster.owner(self.room), shown)
        epoch = int(self.ada.inner_text("#epoch"))
        self.shot(self.ada, "2-before-desktop-light")
        # Not so much that the browser's six connections are the bottleneck: the pause is measured here.
        self.talk(self.ada, "While the owner dies", count=24, every_ms=40)
        self.cluster.kill(shown)
        self.say(self.ben, "And this, too.")
        self.hear_out(self.ada)
        for who, page in (("Ada", self.ada), ("Ben", self.ben)):
            self.eventually(f"{who} sees another epoch", page,
                            "(epoch) => Number(document.querySelector('#epoch').textContent) > epoch", epoch)
            self.sees(page, who, self.sent)
            self.eventually(f"{who} is shown the change and its silence", page,
                            "() => / ms$/.test(document.querySelector('#changes b')?.textContent ?? '')")
        self.ada.wait_for_timeout(2000)
        self.pause_is_told("Ada", self.ada)
        self.pause_is_told("Ben", self.ben)
        for who, page in (("Ada", self.ada), ("Ben", self.ben)):
            self.has_all_once(page, who)
            self.people(page, who, ["Ada", "Ben"])
        self.shots_of_the_pause()
        self.check(f"{shown} is back", self.cluster.wait_ready(shown))

    def pause_is_told(self, who, page):
        silence = self.figure(page, "f-silence") or 0
        print(f"       {who}: longest silence {silence:.0f} ms, round trip {page.inner_text('#f-trip')}, "
              f"event after {page.inner_text('#f-echo')}")
        self.check(f"{who}'s longest silence is a failover's", 100 <= silence <= LONGEST_SILENCE_MS, silence)
        self.check(f"{who} lost no event", self.figure(page, "f-lost") == 0, page.inner_text("#f-lost"))
        self.check(f"{who} got every event once and in order", self.figure(page, "f-order") == 0,
                   page.inner_text("#f-order"))

    def shots_of_the_pause(self):
        self.shot(self.ada, "3-after-desktop-light")
        self.ada.emulate_media(color_scheme="dark")
        self.ada.wait_for_timeout(300)
        self.shot(self.ada, "3-after-desktop-dark")
        self.shot(self.ben, "3-after-phone-chat-dark")
        for view in ("people", "cluster"):
            self.ben.tap(f"#views [data-view={view}]")
            self.ben.wait_for_timeout(300)
            self.no_sideways(self.ben, f"the phone's view of {view}")
            self.shot(self.ben, f"3-after-phone-{view}-dark")
        self.ben.emulate_media(color_scheme="light")
        self.ben.tap("#views [data-view=chat]")
        self.ben.wait_for_timeout(300)
        self.no_sideways(self.ben, "the phone's view of the chat")
        self.shot(self.ben, "3-after-phone-chat-light")

    def no_sideways(self, page, what):
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        self.check(f"{what} does not scroll sideways", wide <= 0, wide)

    def kill_own_node(self):
        """The node that holds Ben's socket dies: he goes on elsewhere, in the same place."""
        mine = self.ben.evaluate("() => document.querySelector('#nodes input:checked').value")
        before = self.ids(self.ada)
        # Part of this he hears only if it is kept for him until he is back.
        self.talk(self.ada, "While your node dies")
        self.cluster.kill(mine)
        self.hear_out(self.ada)
        self.eventually("Ben goes on through another node", self.ben, """(node) =>
            document.querySelector('#link').dataset.state === 'on'
            && !document.querySelector('#link-text').textContent.endsWith(node)""", mine)
        self.say(self.ben, "Yes, through another node.")
        for who, page in (("Ada", self.ada), ("Ben", self.ben)):
            self.sees(page, who, self.sent)
            self.people(page, who, ["Ada", "Ben"])
        self.check("nobody left and came back", self.ids(self.ada) == before)
        self.check(f"{mine} is back", self.cluster.wait_ready(mine))

    def ids(self, page):
        return sorted(page.eval_on_selector_all("#people li", "(all) => all.map((one) => one.dataset.id)"))

    def move(self):
        """Another node is picked by hand."""
        before = self.ids(self.ada)
        current = self.ada.evaluate("() => document.querySelector('#nodes input:checked').value")
        target = next(name for name in self.cluster.nodes if name != current)
        self.ada.check(f"#nodes input[value={target}]")
        self.eventually(f"Ada has moved to {target}", self.ada, f"""() =>
            document.querySelector('#link').dataset.state === 'on'
            && document.querySelector('#link-text').textContent.endsWith('{target}')""")
        self.say(self.ada, "I have moved.")
        self.sees(self.ben, "Ben", self.sent)
        self.people(self.ben, "Ben", ["Ada", "Ben"])
        self.check("she kept her place", self.ids(self.ben) == before)

    def reload(self):
        self.ada.reload()
        self.sees(self.ada, "Ada, after loading the page again,", self.sent)
        self.people(self.ada, "Ada", ["Ada", "Ben"])
        for who, page in (("Ada", self.ada), ("Ben", self.ben)):
            self.has_all_once(page, who)

    def keyboard(self):
        """Through the page with nothing but keys, from its beginning."""
        page = self.ada
        self.load_again(page)
        page.keyboard.press("Tab")
        first = self.focused(page)
        self.check("the first stop is the skip link", first == "Skip to the message box", first)
        page.keyboard.press("Enter")
        self.check("it leads to the message box", page.evaluate("() => document.activeElement.id") == "message")
        page.keyboard.type("Typed without a mouse")
        page.keyboard.press("Enter")
        self.sent.append("Typed without a mouse")
        self.sees(self.ben, "Ben", self.sent)
        self.load_again(page)
        stops, unseen = self.walk(page)
        fields = ["Name of a room to open", "Your name", "Message", "Send"]
        for wanted in ("Sign out", self.room, *fields, "Watch failover"):
            self.check(f"the keyboard reaches: {wanted}", wanted in stops, stops)
        self.check("every stop shows its focus", not unseen, unseen)
        self.check("every stop has a name", all(stops), stops)
        page.focus("#watch")
        page.keyboard.press("Space")
        self.check("the space bar turns the switch", page.get_attribute("#watch", "aria-checked") == "true")
        page.keyboard.press("Space")
        live = page.evaluate("() => document.querySelector('#messages').getAttribute('aria-live')")
        self.check("new messages are announced", live == "polite", live)

    def load_again(self, page):
        """Puts the focus back to the beginning."""
        page.reload()
        page.wait_for_selector("#link[data-state=on]")
        self.people(page, "Ada", ["Ada", "Ben"])

    def walk(self, page):
        """Presses Tab until the page ends."""
        stops, unseen = [], []
        for _ in range(60):
            page.keyboard.press("Tab")
            stop = self.focused(page)
            if stop is None:
                break
            stops.append(stop)
            # A radio button shows it on the card around it.
            shown = page.evaluate("""() => [document.activeElement, document.activeElement.closest('.node')]
                .some((one) => one && getComputedStyle(one).outlineStyle !== 'none')""")
            if not shown:
                unseen.append(stop)
        return stops, unseen

    def focused(self, page):
        """The name of what has the focus."""
        return page.evaluate("""() => {
            const element = document.activeElement;
            if (element === document.body) return null;
            const named = document.getElementById(element.getAttribute('aria-labelledby'));
            return element.getAttribute('aria-label') || named?.textContent
                || element.labels?.[0]?.textContent || element.textContent.trim();
        }""")

    def leave(self):
        self.ada.context.close()
        self.people(self.ben, "Ben", ["Ben"])


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    shots = sys.argv[2] if len(sys.argv) == 3 else None
    if shots:
        os.makedirs(shots, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox", "--disable-gpu"])
        run = Run(browser, Cluster(sys.argv[1]), shots)
        try:
            run.run()
        except Exception as fault:  # The counts are printed whatever happens.
            run.check("the run came to its end", False, repr(fault))
        browser.close()
    print(f"{run.checks.passed} passed, {run.checks.failed} failed")
    return 0 if run.checks.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
