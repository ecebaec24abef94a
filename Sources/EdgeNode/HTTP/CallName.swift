import ObjectRuntime

/// The calls whose durations are measured, by their names in the protocol.
enum CallName: Int, CaseIterable {
    case setItem, setItems, getItem, getItems, getAllItems, getAllKeys, removeItem, removeItems, clear
    case increment, decrement, push, splice, merge, setIn, encryptionSettings, rotateEncryption
    case presenceList, message, session, listen, restore
    case token

    init(_ operation: Operation) {
        switch operation {
        case .setItem: self = .setItem
        case .setItems: self = .setItems
        case .getItem: self = .getItem
        case .getItems: self = .getItems
        case .getAll: self = .getAllItems
        case .keys: self = .getAllKeys
        case .removeItem: self = .removeItem
        case .removeItems: self = .removeItems
        case .clear: self = .clear
        case .increment: self = .increment
        case .decrement: self = .decrement
        case .push: self = .push
        case .splice: self = .splice
        case .merge: self = .merge
        case .setIn: self = .setIn
        case .encryptionSettings: self = .encryptionSettings
        case .rotateEncryption: self = .rotateEncryption
        case .presenceList: self = .presenceList
        case .message: self = .message
        case .session: self = .session
        case .listen: self = .listen
        case .restore: self = .restore
        }
    }
}
