using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace LatentBridge.Host;

/// <summary>
/// Compiled ahead, the program's vector width is fixed. A release for Linux on x64 holds it twice: for any processor, and beside it, with this suffix, for those
/// with AVX2 (x86-64-v3). The first one replaces itself by the second where it can: process id, pipes and inherited memory stay.
/// </summary>
static unsafe partial class FasterBuild
{
    const string Suffix = "-v3";

    // CPUID: the features of x86-64-v3. Leaf 1, ECX: FMA, MOVBE, OSXSAVE, AVX, F16C. Leaf 7, EBX: BMI1, AVX2, BMI2. Leaf 0x80000001, ECX: LZCNT.
    const int Leaf1 = (1 << 12) | (1 << 22) | (1 << 27) | (1 << 28) | (1 << 29);
    const int Leaf7 = (1 << 3) | (1 << 5) | (1 << 8);
    const int LeafExtended = 1 << 5;

    // Leaf 0xD, EBX: bytes of the register state that the system saves. From 832 on, the upper halves of the 256-bit registers are among it.
    const int StateWithAvx = 832;

    /// <summary>Does not return where the faster build takes over.</summary>
    internal static void TakeOver(string[] arguments)
    {
        // A build that uses AVX2 already, by the JIT or compiled ahead, drops all of this.
        if (Avx2.IsSupported || !X86Base.IsSupported || !OperatingSystem.IsLinux() || !ProcessorIsFast())
        {
            return;
        }

        if (Environment.ProcessPath is { } program && File.Exists(program + Suffix))
        {
            Execute(program + Suffix, arguments);
        }
    }

    static bool ProcessorIsFast() =>
        Has(X86Base.CpuId(1, 0).Ecx, Leaf1)
        && X86Base.CpuId(0, 0).Eax >= 0xD
        && Has(X86Base.CpuId(7, 0).Ebx, Leaf7)
        && Has(X86Base.CpuId(unchecked((int)0x80000001), 0).Ecx, LeafExtended)
        && X86Base.CpuId(0xD, 0).Ebx >= StateWithAvx;

    static bool Has(int register, int features) => (register & features) == features;

    // Returns where the system refuses: then this build goes on.
    static void Execute(string program, string[] arguments)
    {
        byte** words = stackalloc byte*[arguments.Length + 2];
        words[0] = Utf8(program);
        for (int i = 0; i < arguments.Length; i++)
        {
            words[i + 1] = Utf8(arguments[i]);
        }

        words[arguments.Length + 1] = null;
        _ = execv(words[0], words);
    }

    // Never freed: the process ends, or goes on once.
    static byte* Utf8(string text) => (byte*)Marshal.StringToCoTaskMemUTF8(text);

    [LibraryImport("libc")]
    private static partial int execv(byte* path, byte** arguments);
}
