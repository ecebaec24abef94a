import Binary
import Testing

@testable import ObjectRuntime

@Suite struct SmokeTests {
    @Test func anItemThatWasSetIsRead() throws {
        var owner = TestOwner()
        let set = try owner.run(OperationParser.setItem(body: Array(#"{"value": [1, 2]}"#.utf8), name: "a", keyVersion: nil))
        #expect(set.text == #"{"value":[1, 2],"createdAt":1000,"updatedAt":1000,"expiresAt":253402300799999}"#)
        #expect(try owner.run(OperationParser.getItem(name: "a")).text == set.text)
    }
}
