import NIOHTTP1
import Testing

@testable import EdgeNode

struct PathDecodingTests {
    @Test(arguments: [
        ("plain", "plain"), ("a%20b", "a b"), ("a+b", "a+b"), ("%2B", "+"), ("a%2Fb", "a/b"), ("%25", "%"),
        // Decoded once, not twice.
        ("%2525", "%25"),
        ("caf%C3%A9", "café"), ("caf%c3%a9", "café"), ("%E2%82%AC", "€"), ("%F0%9F%98%80", "😀"),
        // Not two hexadecimal digits: literal.
        ("100%", "100%"), ("%4", "%4"), ("%zz", "%zz"), ("%%41", "%A"), ("50%-off", "50%-off"),
        // Not UTF-8: literal.
        ("%FF", "%FF"), ("%C3", "%C3"), ("%C3%28", "%C3("), ("%C0%AF", "%C0%AF"),
        ("%ED%A0%80", "%ED%A0%80"),
        ("%F4%90%80%80", "%F4%90%80%80"), ("%C3%A9%FF", "é%FF"), ("%E2%82", "%E2%82"),
        ("%00", "\0"), ("ключ", "ключ"),
    ])
    func segmentsAreDecodedOnceAndStayLiteralWhereTheyAreNoUTF8(_ raw: String, _ wanted: String) {
        #expect(Array(percentDecoded(raw[...].utf8).utf8) == Array(wanted.utf8))
    }

    @Test func slashesAreSplitBeforeDecoding() throws {
        let target = try #require(RequestTarget("/project/demo/cache/c/a%2Fb/n"))
        #expect(target.segments == ["project", "demo", "cache", "c", "a/b", "n"])
    }

    @Test func theQueryIsCutOffBeforeSplitting() throws {
        let target = try #require(RequestTarget("/a/b?prefix=x/y"))
        #expect(target.segments == ["a", "b"])
        #expect(target.parameter("prefix") == "x/y")
    }

    @Test(arguments: [
        ("prefix=a%20b", "a b"), ("prefix=a+b", "a+b"), ("x=1&prefix=p", "p"), ("prefix=", ""),
        ("prefix", ""),
        ("prefix=a=b", "a=b"), ("%70refix=p", "p"),
    ])
    func aPlusInAPrefixIsAPlus(_ query: String, _ wanted: String) throws {
        #expect(try #require(RequestTarget("/x?" + query)).parameter("prefix") == wanted)
    }

    @Test func aMissingParameterIsNone() throws {
        #expect(try #require(RequestTarget("/x?other=1")).parameter("prefix") == nil)
        #expect(try #require(RequestTarget("/x")).parameter("prefix") == nil)
    }

    @Test func theAbsoluteFormIsTaken() throws {
        #expect(try #require(RequestTarget("http://host:1/livez?x")).segments == ["livez"])
        #expect(RequestTarget("http://host") == nil)
        #expect(RequestTarget("https://") == nil)
        #expect(RequestTarget("*") == nil)
        #expect(RequestTarget("host:443") == nil)
        #expect(RequestTarget("") == nil)
    }

    @Test func replacedBytesAreRefusedButLookalikesAreNot() {
        #expect(RequestTarget("/a\u{FFFD}") == nil)
        #expect(RequestTarget("/a\u{FFFC}") != nil)
    }

    private func call(_ method: HTTPMethod, _ rest: String) throws -> ObjectCall? {
        let target = try #require(RequestTarget("/project/p/" + rest))
        guard case .object(let route) = try Route(method: method, segments: target.segments) else {
            return nil
        }
        #expect(route.project == "p" && route.objectClass == "c" && route.objectID == "o")
        return route.call
    }

    @Test func whateverFollowsTheObjectIsTheItemsName() throws {
        #expect(try call(.GET, "cache/c/o/n") == .getItem(name: "n"))
        #expect(try call(.GET, "cache/c/o/a/b/c") == .getItem(name: "a/b/c"))
        #expect(try call(.DELETE, "cache/c/o/a//b") == .removeItem(name: "a//b"))
        #expect(try call(.POST, "cache/c/o/a/b") == .setItem(name: "a/b"))
        #expect(try call(.GET, "cache/c/o/n/increment") == .getItem(name: "n/increment"))
        #expect(try call(.DELETE, "cache/c/o/n/push") == .removeItem(name: "n/push"))
    }

    @Test func anOperationsWordCountsOnlyBehindAName() throws {
        #expect(try call(.POST, "cache/c/o/increment") == .setItem(name: "increment"))
        #expect(try call(.POST, "cache/c/o/n/increment") == .atomic(word: "increment", name: "n"))
        #expect(try call(.POST, "cache/c/o/push/push") == .atomic(word: "push", name: "push"))
        #expect(try call(.POST, "cache/c/o/a/b/set-in") == .atomic(word: "set-in", name: "a/b"))
        #expect(try call(.POST, "cache/c/o/n/other") == .setItem(name: "n/other"))
    }

    @Test func aTrailingSlashIsAnEmptyNameAndNotTheWholeObject() throws {
        #expect(try call(.DELETE, "cache/c/o/") == .removeItem(name: ""))
        #expect(try call(.DELETE, "cache/c/o") == .removeItemsOrClear)
    }
}
