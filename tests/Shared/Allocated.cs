namespace LatentBridge.Testing;

/// <summary>What code allocates.</summary>
static class Allocated
{
    /// <summary>
    /// Bytes that an action allocates on this thread each time, the least of five: now and then the runtime itself allocates there, when it compiles a method anew.
    /// Called once more before, to warm up.
    /// </summary>
    public static long By(Action action)
    {
        action();
        long least = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
