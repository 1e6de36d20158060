using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace LatentBridge.Host;

/// <summary>Ends the process when the shim is gone, however it went: a pipe held open by another child of the shim must not keep the host alive.</summary>
/// <remarks>
/// Looks twice a second on its own thread, so that it works while others are blocked in a pipe. A process that is stopped cannot look: on Linux
/// a shim that sets <see cref="EndWithParent"/> has the system kill it with the thread that started it. It is the shim's to ask for, because
/// another program may start a host on a thread that ends.
/// </remarks>
static partial class ParentWatch
{
    const string EndWithParent = "LATENTBRIDGE_END_WITH_PARENT";
    const int SetParentDeathSignal = 1;
    const int Kill = 9;
    const int NoSuchProcess = 87; // ERROR_INVALID_PARAMETER: no process has that number
    const uint Synchronize = 0x00100000;

    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    static volatile Func<bool>? _isGone;

    /// <summary>Begins: until the shim says who it is, the process that started this one is watched.</summary>
    public static void Start()
    {
        if (!OperatingSystem.IsWindows())
        {
            int parent = getppid();
            _isGone = () => getppid() != parent;
            if (OperatingSystem.IsLinux() && !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(EndWithParent)))
            {
                _ = prctl(SetParentDeathSignal, Kill, 0, 0, 0);
            }
        }

        new Thread(Look, maxStackSize: 128 * 1024) { IsBackground = true, Name = "LatentBridge parent watch" }.Start();
    }

    /// <summary>Watches this process from now on; 0 keeps watching the one before.</summary>
    public static void Watch(int process)
    {
        if (process <= 0)
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            WatchHandle(process);
        }
        else if (getppid() != process)
        {
            // Started through another program: the parent's id says nothing about the shim.
            string? identity = Identity(process);
            _isGone = () => Identity(process) != identity || identity is null;
        }
    }

    static void Look()
    {
        while (true)
        {
            Thread.Sleep(Interval);
            if (_isGone?.Invoke() == true)
            {
                Log.ShimGone();
                Environment.Exit(ExitCode.Done);
            }
        }
    }

    [SupportedOSPlatform("windows")]
    static void WatchHandle(int process)
    {
        // One handle for good: it keeps the identity, so that a new process of the same number is another one.
        SafeProcessHandle shim = OpenProcess(Synchronize, false, process);
        if (!shim.IsInvalid)
        {
            _isGone = () => WaitForSingleObject(shim, 0) == 0;
        }
        else if (Marshal.GetLastPInvokeError() == NoSuchProcess)
        {
            _isGone = () => true;
        }
        else
        {
            // It may not be looked at: that it is gone shows when stdin closes.
            Log.ShimUnseen(process, Marshal.GetLastPInvokeErrorMessage());
        }
    }

    /// <summary>When the process began, as the system counts; null when it is gone or a zombie.</summary>
    static string? Identity(int process)
    {
        if (!OperatingSystem.IsLinux())
        {
            return kill(process, 0) == 0 ? "alive" : null;
        }

        try
        {
            // "pid (name) state ppid ... starttime ...": the name may hold anything, so fields count from the last parenthesis.
            string stat = File.ReadAllText($"/proc/{process}/stat");
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : fields[19];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc")]
    private static partial int getppid();

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc")]
    private static partial int prctl(int option, nuint argument, nuint third, nuint fourth, nuint fifth);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial SafeProcessHandle OpenProcess(uint access, [MarshalAs(UnmanagedType.Bool)] bool inherit, int process);

    [LibraryImport("kernel32")]
    private static partial uint WaitForSingleObject(SafeProcessHandle process, uint milliseconds);
}
