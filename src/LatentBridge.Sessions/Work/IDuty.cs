namespace LatentBridge.Sessions;

/// <summary>One kind of the worker's work.</summary>
interface IDuty
{
    /// <summary>Takes what is most urgent. Called under the session's lock.</summary>
    /// <returns>False when there is nothing to do.</returns>
    bool TryTake();

    /// <summary>Does what was taken. Called without the lock; never throws.</summary>
    void Do();
}
