import ObjectRuntime

/// Quotas at the owner.
extension ShardReplica {
    /// Of single objects: the same at every node.
    var limits: Limits { quotas.limits }

    /// Executes, and counts what the project has grown by since its use was last told.
    func executeWithinQuota(_ request: Request, _ context: inout ExecutionContext) -> Execution {
        guard quotas.isActive, request.operation.isWrite else { return state.execute(request, context) }
        let project = request.object.project
        context.room = quotas.room(of: project)
        let objectsBefore = state.objectCount
        let bytesBefore = state.byteCount
        let execution = state.execute(request, context)
        quotas.grew(
            project, objects: state.objectCount - objectsBefore, bytes: state.byteCount - bytesBefore)
        if case .read(let answer, _) = execution, case .refused(let refusal) = answer.reply,
            let kind = refusal.quotaKind
        {
            quotas.count(kind)
        }
        return execution
    }
}
