using System.Runtime.InteropServices;

namespace LatentBridge.Sessions;

/// <summary>Puts the calling thread, and the threads it starts from now on, behind the sampler's.</summary>
static partial class BackgroundPriority
{
    const int PriorityOfProcess = 0;
    const int Nice = 10;

    /// <summary>Lowers the calling thread.</summary>
    /// <returns>Null when done; else why not, as a sentence.</returns>
    public static string? Apply()
    {
        if (!OperatingSystem.IsLinux())
        {
            Thread.CurrentThread.Priority = ThreadPriority.BelowNormal;
            return null;
        }

        // .NET's priorities do nothing on Linux. There "process 0" means the calling thread, and threads it clones inherit the value.
        return setpriority(PriorityOfProcess, 0, Nice) == 0
            ? null
            : $"The decoding thread keeps normal priority: setpriority was refused ({Marshal.GetLastPInvokeErrorMessage()}).";
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setpriority(int which, uint who, int priority);
}
