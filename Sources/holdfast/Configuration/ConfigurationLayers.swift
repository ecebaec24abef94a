import EdgeNode
import HoldfastClient
import Storage

/// Lays file, environment and flags over each other and checks what results.
struct ConfigurationLayers {
    /// Lowest layer first: what comes later replaces what came before, setting by setting.
    private var effective: [SettingKey: RawSetting] = [:]
    private var faults: [String] = []

    /// Adds a layer whose names are the writer's own: unknown ones are refused.
    mutating func add(_ settings: [RawSetting]) {
        for setting in settings {
            guard let key = SettingKey(rawValue: setting.name) else {
                faults.append("\(setting.source): unknown setting '\(setting.name)'")
                continue
            }
            guard !key.isEnvironmentOnly else {
                faults.append("\(setting.source): '\(setting.name)' is read from \(key.environmentName) only")
                continue
            }
            put(setting, key)
        }
    }

    /// Adds the environment. Unknown `HOLDFAST_…` variables are passed over: orchestrators make such
    /// names by themselves (`HOLDFAST_PORT` for a service called holdfast).
    mutating func addEnvironment(_ lookUp: (String) -> String?) {
        for key in SettingKey.allCases {
            guard let text = lookUp(key.environmentName) else { continue }
            let value: RawValue =
                key == .join ? .list(text.split(separator: ",").map { trimmed(String($0)) }) : .scalar(text)
            put(
                RawSetting(name: key.rawValue, value: value, source: "environment \(key.environmentName)"),
                key)
        }
    }

    /// The token and the file that holds it are two ways to say one thing: the later word counts.
    private mutating func put(_ setting: RawSetting, _ key: SettingKey) {
        if key == .adminToken { effective[.adminTokenFile] = nil }
        if key == .adminTokenFile { effective[.adminToken] = nil }
        if key == .dataKey { effective[.dataKeyFile] = nil }
        if key == .dataKeyFile { effective[.dataKey] = nil }
        effective[key] = setting
    }

    /// The checked whole, or every fault at once.
    func configuration() throws(ConfigurationFault) -> NodeConfiguration {
        var checker = SettingChecker(faults: faults)
        var result = NodeConfiguration(name: "", dataDirectory: "")
        for key in SettingKey.allCases {
            if let setting = effective[key] { checker.apply(key, setting, to: &result) }
        }
        if effective[.name] == nil {
            checker.faults.append("name is missing: \(SettingKey.name.expectation)")
        }
        if effective[.data] == nil {
            checker.faults.append("data is missing: \(SettingKey.data.expectation)")
        }
        if result.client == result.peer || result.admin == result.client || result.admin == result.peer {
            checker.faults.append("client, peer and admin must be different addresses")
        }
        if checker.faults.isEmpty, !result.bootstrap, result.initialNodes != 1 {
            checker.faults.append("initial-nodes has a meaning only with bootstrap")
        }
        if checker.faults.isEmpty { checker.faults += Self.securityFaults(result) }
        guard checker.faults.isEmpty else { throw ConfigurationFault(checker.faults) }
        return result
    }

    /// In the clear on loopback only, and only if that is said.
    private static func securityFaults(_ configuration: NodeConfiguration) -> [String] {
        var faults: [String] = []
        let addresses = [configuration.client, configuration.peer] + [configuration.admin].compactMap { $0 }
        if configuration.insecure {
            if configuration.tlsDirectory != nil { faults.append("insecure and tls-directory exclude each other") }
            if let open = addresses.first(where: { !$0.isLoopback }) {
                faults.append("insecure is for loopback only, and \(open) is not: make certificates with 'holdfast tls init'")
            }
        } else if configuration.tlsDirectory == nil {
            faults.append("tls-directory is missing: make one with 'holdfast tls init'; on loopback insecure does without")
        }
        if (configuration.clientCertificate == nil) != (configuration.clientKey == nil) {
            faults.append("client-certificate and client-key go together")
        }
        if (configuration.clientCertificates == .none) != (configuration.clientCA == nil) {
            faults.append("client-certificates = optional or required, and client-ca, go together")
        }
        let usesTLS = configuration.clientCertificate ?? configuration.clientCA ?? configuration.plaintext?.rawValue
        if configuration.insecure, usesTLS != nil {
            faults.append("insecure leaves nothing for client-certificate, client-ca and plaintext to say")
        }
        return faults
    }
}

/// Turns raw settings into typed ones; collects what is wrong with them.
private struct SettingChecker {
    var faults: [String]

    mutating func apply(_ key: SettingKey, _ setting: RawSetting, to result: inout NodeConfiguration) {
        let isGood: Bool =
            switch key {
            case .name: assign(&result.name, Self.nodeName(setting.value))
            case .data: assign(&result.dataDirectory, Self.scalar(setting.value))
            case .client: assign(&result.client, Self.address(setting.value))
            case .peer: assign(&result.peer, Self.address(setting.value))
            case .admin: assign(&result.admin, Self.address(setting.value))
            case .adminToken: assign(&result.adminToken, Self.scalar(setting.value).flatMap(Self.token))
            case .adminTokenFile: adminTokenFromFile(setting.value, &result)
            case .dataKey:
                assign(
                    &result.dataKeys,
                    Self.scalar(setting.value).flatMap { try? DataKeys(parsing: $0, source: setting.source) })
            case .dataKeyFile: dataKeysFromFile(setting, &result)
            case .adminOnClientPort: assign(&result.adminOnClientPort, Self.flag(setting.value))
            case .tlsDirectory: assign(&result.tlsDirectory, Self.scalar(setting.value))
            case .insecure: assign(&result.insecure, Self.flag(setting.value))
            case .clientCertificate: assign(&result.clientCertificate, Self.scalar(setting.value))
            case .clientKey: assign(&result.clientKey, Self.scalar(setting.value))
            case .clientCertificates:
                assign(
                    &result.clientCertificates,
                    Self.scalar(setting.value).flatMap(NodeConfiguration.ClientCertificates.init))
            case .clientCA: assign(&result.clientCA, Self.scalar(setting.value))
            case .plaintext:
                assign(&result.plaintext, Self.scalar(setting.value).flatMap(HTTPSettings.Plaintext.init))
            case .demo: assign(&result.demo, Self.flag(setting.value))
            case .coreDumps: assign(&result.coreDumps, Self.flag(setting.value))
            case .join: assign(&result.join, Self.addresses(setting.value))
            case .bootstrap: assign(&result.bootstrap, Self.flag(setting.value))
            case .initialNodes:
                assign(&result.initialNodes, Self.number(setting.value, SettingKey.initialNodeRange))
            case .shards: assign(&result.shards, Self.number(setting.value, SettingKey.shardRange))
            case .leaseMs: assign(&result.leaseMs, Self.number(setting.value, SettingKey.leaseMsRange))
            case .loops: assign(&result.loops, Self.number(setting.value, SettingKey.loopRange))
            case .reads:
                assign(&result.reads, Self.scalar(setting.value).flatMap(NodeConfiguration.Reads.init))
            case .hibernateMs:
                assign(&result.hibernateMs, Self.number(setting.value, SettingKey.hibernateMsRange))
            case .memoryMegabytes:
                assign(&result.memoryMegabytes, Self.number(setting.value, SettingKey.memoryMegabytesRange))
            case .segmentKilobytes:
                assign(&result.segmentKilobytes, Self.number(setting.value, SettingKey.segmentKilobytesRange))
            case .splitOperations:
                assign(&result.splitOperations, Self.number(setting.value, SettingKey.splitOperationsRange))
            case .mergeAfterS:
                assign(&result.mergeAfterSeconds, Self.number(setting.value, SettingKey.mergeAfterSRange))
            case .checkpointIntervalS:
                assign(
                    &result.checkpointIntervalSeconds,
                    Self.number(setting.value, SettingKey.checkpointIntervalSRange))
            case .checkpointMegabytes:
                assign(&result.checkpointMegabytes, Self.number(setting.value, SettingKey.checkpointMegabytesRange))
            case .presenceGraceMs:
                assign(&result.presenceGraceMs, Self.number(setting.value, SettingKey.presenceGraceMsRange))
            case .onDamage:
                assign(&result.onDamage, Self.scalar(setting.value).flatMap(NodeConfiguration.OnDamage.init))
            case .scrubIntervalS:
                assign(
                    &result.scrubIntervalSeconds, Self.number(setting.value, SettingKey.scrubIntervalSRange))
            case .archiveDirectory: assign(&result.archiveDirectory, Self.scalar(setting.value))
            case .archiveIntervalS:
                assign(&result.archiveIntervalS, Self.number(setting.value, SettingKey.archiveIntervalSRange))
            case .connectionsPerAddress:
                assign(
                    &result.connectionsPerAddress, Self.number(setting.value, SettingKey.connectionsPerAddressRange))
            case .connectionRate: assign(&result.connectionRate, Self.number(setting.value, SettingKey.rateRange))
            case .keyRate: assign(&result.keyRate, Self.number(setting.value, SettingKey.rateRange))
            case .objectRate: assign(&result.objectRate, Self.number(setting.value, SettingKey.rateRange))
            case .overloadTargetMs:
                assign(&result.overloadTargetMs, Self.number(setting.value, SettingKey.overloadTargetMsRange))
            case .logLevel:
                assign(&result.logLevel, Self.scalar(setting.value).flatMap(NodeConfiguration.LogLevel.init))
            }
        guard !isGood else { return }
        let shown = key.isEnvironmentOnly ? "the value" : setting.value.text
        faults.append("\(setting.source): \(key.rawValue) cannot be \(shown): \(key.expectation)")
    }

    private func assign<Value>(_ target: inout Value, _ value: Value?) -> Bool {
        guard let value else { return false }
        target = value
        return true
    }

    private func assign<Value>(_ target: inout Value?, _ value: Value?) -> Bool {
        guard let value else { return false }
        target = value
        return true
    }

    private func adminTokenFromFile(_ value: RawValue, _ result: inout NodeConfiguration) -> Bool {
        guard let path = Self.scalar(value), let text = try? LocalFile.readText(path),
            let token = Self.token(trimmed(text))
        else { return false }
        result.adminToken = token
        return true
    }

    /// The complaint says what is wrong with the file.
    private mutating func dataKeysFromFile(_ setting: RawSetting, _ result: inout NodeConfiguration) -> Bool {
        guard let path = Self.scalar(setting.value) else { return false }
        do throws(DataKeyFault) {
            result.dataKeys = try DataKeys(file: path)
        } catch {
            faults.append("\(setting.source): \(error)")
        }
        return true
    }

    private static func scalar(_ value: RawValue) -> String? {
        if case .scalar(let text) = value, !text.isEmpty { text } else { nil }
    }

    private static func flag(_ value: RawValue) -> Bool? {
        scalar(value).flatMap(Bool.init)
    }

    private static func number<Number: FixedWidthInteger>(_ value: RawValue, _ range: ClosedRange<Number>)
        -> Number?
    {
        scalar(value).flatMap { Number($0) }.flatMap { range.contains($0) ? $0 : nil }
    }

    private static func nodeName(_ value: RawValue) -> String? {
        guard let text = scalar(value), text.utf8.count <= 64,
            text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
        else { return nil }
        return text
    }

    private static func token(_ text: String) -> String? {
        let isPrintable = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isPrintable && text.utf8.count >= 16 ? text : nil
    }

    private static func address(_ value: RawValue) -> NodeConfiguration.Address? {
        guard let text = scalar(value), !text.hasPrefix("http"), !text.hasSuffix("/"),
            let endpoint = Endpoint(text)
        else { return nil }
        return NodeConfiguration.Address(host: endpoint.host, port: endpoint.port)
    }

    private static func addresses(_ value: RawValue) -> [NodeConfiguration.Address]? {
        let texts: [String] =
            switch value {
            case .scalar(let text): [text]
            case .list(let texts): texts
            }
        let addresses = texts.compactMap { address(.scalar($0)) }
        return addresses.count == texts.count ? addresses : nil
    }
}
