namespace LatentBridge.Sessions;

/// <summary>One thread behind the sampler's that does its duties, the most urgent first.</summary>
/// <param name="gate">The session's lock, pulsed whenever there may be something to do.</param>
/// <param name="isStopping">True when the thread should end; called under the lock.</param>
/// <param name="duties">The most urgent first.</param>
/// <param name="log">Takes a line for people.</param>
/// <param name="last">Called on the thread when it ends.</param>
sealed class Worker(object gate, Func<bool> isStopping, IReadOnlyList<IDuty> duties, Action<string> log, Action last)
{
    Thread? _thread;

    public void Start()
    {
        _thread = new Thread(Work) { IsBackground = true, Name = "LatentBridge decode" };
        _thread.Start();
    }

    /// <summary>Waits for the end of the thread.</summary>
    /// <returns>False when it did not end in time.</returns>
    public bool Join(TimeSpan patience) => _thread?.Join(patience) ?? true;

    void Work()
    {
        if (BackgroundPriority.Apply() is { } refusal)
        {
            log(refusal);
        }

        while (WaitForDuty() is { } duty)
        {
            duty.Do();
        }

        last();
    }

    /// <returns>Null when the session stops.</returns>
    IDuty? WaitForDuty()
    {
        lock (gate)
        {
            while (!isStopping())
            {
                for (int i = 0; i < duties.Count; i++)
                {
                    if (duties[i].TryTake())
                    {
                        return duties[i];
                    }
                }

                Monitor.Wait(gate);
            }

            return null;
        }
    }
}
