import EdgeNode

extension NodeConfiguration {
    /// What holds, in the format of a configuration file. Secrets are left out.
    var fileText: String {
        var lines = [
            "name = \(quoted(name))",
            "data = \(quoted(dataDirectory))",
            "client = \(quoted(client.description))",
            "peer = \(quoted(peer.description))",
        ]
        if let archiveDirectory { lines.append("archive-directory = \(quoted(archiveDirectory))") }
        if let admin { lines.append("admin = \(quoted(admin.description))") }
        if let tlsDirectory { lines.append("tls-directory = \(quoted(tlsDirectory))") }
        if let clientCertificate { lines.append("client-certificate = \(quoted(clientCertificate))") }
        if let clientKey { lines.append("client-key = \(quoted(clientKey))") }
        if let clientCA { lines.append("client-ca = \(quoted(clientCA))") }
        lines.append(
            insecure ? "insecure = true" : "client-certificates = \(quoted(clientCertificates.rawValue))")
        if let plaintext { lines.append("plaintext = \(quoted(plaintext.rawValue))") }
        lines += [
            "# the admin token is \(adminToken == nil ? "not set: the admin API refuses every call" : "set")",
            "# data on disk is \(dataKeys.map { "encrypted, \($0)" } ?? "not encrypted")",
            "admin-on-client-port = \(adminOnClientPort)",
            "demo = \(demo)",
            "core-dumps = \(coreDumps)",
            "join = [\(join.map { quoted($0.description) }.joined(separator: ", "))]",
            "bootstrap = \(bootstrap)",
            "initial-nodes = \(initialNodes)",
            "shards = \(shards)",
            "lease-ms = \(leaseMs)",
            "loops = \(loops)",
            "reads = \(quoted(reads.rawValue))",
            "hibernate-ms = \(hibernateMs)",
            "memory-mb = \(memoryMegabytes)",
            "segment-kb = \(segmentKilobytes)",
            "split-operations = \(splitOperations)",
            "merge-after-s = \(mergeAfterSeconds)",
            "checkpoint-interval-s = \(checkpointIntervalSeconds)",
            "checkpoint-mb = \(checkpointMegabytes)",
            "presence-grace-ms = \(presenceGraceMs)",
            "on-damage = \(quoted(onDamage.rawValue))",
            "scrub-interval-s = \(scrubIntervalSeconds)",
            "archive-interval-s = \(archiveIntervalS)",
            "connections-per-address = \(connectionsPerAddress)",
            "connection-rate = \(connectionRate)",
            "key-rate = \(keyRate)",
            "object-rate = \(objectRate)",
            "overload-target-ms = \(overloadTargetMs)",
            "log-level = \(quoted(logLevel.rawValue))",
        ]
        return lines.joined(separator: "\n")
    }

    private func quoted(_ text: String) -> String {
        var out = "\""
        for character in text {
            switch character {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            default: out.append(character)
            }
        }
        return out + "\""
    }
}
