import Binary
import Cluster
import ObjectRuntime
import Placement
import Raft
import Storage
import Testing

@testable import EdgeNode

/// What a backup and a restore ask of a node.
struct BackupPageTests {
    private func manifest() -> SnapshotManifest {
        SnapshotManifest(
            head: StoredHead(
                shard: 2,
                content: HeadContent(index: 9, term: 4, range: StoredRange(start: 16, end: 31), payload: []),
                tally: StoreTally(objectCount: 3, digest: 255)))
    }

    private func part(_ value: String, project: String = "demo", mode: Restoration.Mode = .create) -> RestoredPart {
        let item = Item(
            value: JSONText(Array(value.utf8)), createdAt: 1, updatedAt: 2, expiresAt: Item.never, keyVersion: nil)
        return RestoredPart(
            project: project, objectClass: "c", id: "o",
            part: Restoration(mode: mode, items: [NamedItem(name: "a", item: item)]))
    }

    private func restore(_ edge: TestEdge, _ what: String, _ body: [UInt8]) throws -> TestResponse {
        try edge.admin("POST", "/restore/\(what)", bytes: body)
    }

    @Test func aFileIsMadeReadAndDropped() throws {
        let edge = try TestEdge()
        edge.gateway.backupFile = (manifest(), Array("0123456789".utf8))
        let page = try edge.admin("POST", "/backup/shards/2").body
        #expect(
            page == #"{"file":12,"shard":2,"range":["0000000000000010","000000000000001f"],"epoch":4,"index":9,"#
                + #""objects":3,"digest":"00000000000000ff","bytes":10,"hash":"0000000000000007"}"#)
        #expect(try edge.admin("GET", "/backup/files/12?offset=3&length=4").body == "3456")
        #expect(try edge.admin("GET", "/backup/files/12?offset=8&length=4").body == "89")
        #expect(try edge.admin("GET", "/backup/files/12?offset=10&length=4").status == 404)
        #expect(try edge.admin("GET", "/backup/files/13?offset=0&length=4").status == 404)
        #expect(try edge.admin("DELETE", "/backup/files/12").status == 204)
        #expect(edge.gateway.droppedBackups == [12])
    }

    @Test func whoDoesNotOwnSaysSo() throws {
        let edge = try TestEdge()
        let answer = try edge.admin("POST", "/backup/shards/3")
        #expect(answer.status == 409 && answer.body.contains("conflictError.notOwner"))
    }

    @Test(arguments: [
        "/backup/files/12", "/backup/files/12?offset=0", "/backup/files/12?offset=-1&length=5",
        "/backup/files/12?offset=0&length=0", "/backup/files/12?offset=x&length=1",
    ])
    func filesAreReadByOffsetAndLength(_ path: String) throws {
        #expect(try TestEdge().admin("GET", path).status == 400)
    }

    @Test(arguments: ["/backup/files/x", "/backup/shards/-1", "/backup/shards/4294967296", "/backup/else", "/backup/a/b/c"])
    func otherPathsAreUnknown(_ path: String) throws {
        #expect(try TestEdge().admin("POST", path).status == 404)
    }

    @Test func thePlacementStateIsOfAfterTheCall() throws {
        let edge = try TestEdge()
        let before = try #require(edge.gateway.view.state?.appliedIndex)
        let bytes = try edge.admin("GET", "/backup/placement").bytes
        let state = try PlacementState.decode(bytes)
        #expect(state.appliedIndex > before)
        #expect(state.tenants.project("demo") != nil)
        edge.gateway.proposalFailure = .noLeader
        #expect(try edge.admin("GET", "/backup/placement").status == 503)
    }

    // MARK: - Restoring

    @Test func partsAreExecutedAndRefusedOneByOne() throws {
        let edge = try TestEdge()
        let other = part("2", mode: .create)
        let body = RestoreBody.encode([part("1"), other, part("3", project: "nobody"), part("{no}")])
        let answer = try restore(edge, "objects", body)
        let page = try #require(answer.json)
        #expect(page["done"]?.count == 1)
        let codes = page["failed"]?.elements?.compactMap { $0["code"]?.text }
        #expect(
            codes == [
                "conflictError.restore.exists", "notFoundError.unknownProject", "validationError.restore.value",
            ])
        #expect(try restore(edge, "objects", RestoreBody.encode([RestoredPart]())).body == #"{"done":0,"failed":[]}"#)
    }

    @Test func commandsOfTenantsAreRun() throws {
        let edge = try TestEdge()
        let body = RestoreBody.encode([
            .createProject(id: "back", createdAtMs: 5), .setQuota(project: "back", Quota(objects: 3)),
        ])
        #expect(try restore(edge, "commands", body).body == #"{"done":2}"#)
        #expect(edge.gateway.view.state?.tenants.project("back")?.createdAtMs == 5)
        let again = try restore(edge, "commands", RestoreBody.encode([.setQuota(project: "no", Quota())]))
        #expect(again.status == 409)
    }

    /// A backup must not be a way to commands that move shards or end nodes.
    @Test func otherCommandsAreNot() throws {
        let edge = try TestEdge()
        for command in [Command.removeNode(NodeID(rawValue: 1)), .setAdmin(Credential(salt: [], secretHash: []))] {
            #expect(try restore(edge, "commands", RestoreBody.encode([command])).status == 400)
        }
        #expect(edge.gateway.view.state?.nodes.count == 3)
    }

    @Test func bytesThatAreNoneOfOursAreRefused() throws {
        let edge = try TestEdge()
        let good = RestoreBody.encode([part("1")])
        for count in 0..<good.count {
            #expect(try restore(edge, "objects", Array(good[..<count])).status == 400)
        }
        #expect(try restore(edge, "objects", good + [0]).status == 400)
        #expect(try restore(edge, "commands", good).status == 400)
        #expect(try restore(edge, "else", good).status == 404)
        let many = [RestoredPart](repeating: part("1"), count: RestoreBody.partsMax + 1)
        #expect(try restore(edge, "objects", RestoreBody.encode(many)).status == 400)
    }
}
