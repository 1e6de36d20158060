using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace LatentBridge.Host;

/// <summary>
/// Compiled ahead, the program's vector width is fixed. A release for Linux on x64 holds it three times: for any processor, and beside it, with these suffixes, for
/// those with AVX2 (x86-64-v3) and with AVX-512 (x86-64-v4). The first one replaces itself by the best that there is: process id, pipes and inherited memory stay.
/// </summary>
static unsafe partial class FasterBuild
{
    const string WithAvx2 = "-v3";
    const string WithAvx512 = "-v4";

    // CPUID: the features of x86-64-v3. Leaf 1, ECX: FMA, MOVBE, OSXSAVE, AVX, F16C. Leaf 7, EBX: BMI1, AVX2, BMI2. Leaf 0x80000001, ECX: LZCNT.
    const int Leaf1 = (1 << 12) | (1 << 22) | (1 << 27) | (1 << 28) | (1 << 29);
    const int Leaf7 = (1 << 3) | (1 << 5) | (1 << 8);
    const int LeafExtended = 1 << 5;

    // What x86-64-v4 adds. Leaf 7, EBX: AVX512F, AVX512DQ, AVX512CD, AVX512BW, AVX512VL.
    const int Leaf7Avx512 = (1 << 16) | (1 << 17) | (1 << 28) | (1 << 30) | (1 << 31);

    // Leaf 0xD, EBX: bytes of the register state that the system saves. From 832 on, the upper halves of the 256-bit registers are among it, from 2688 on all of the
    // 512-bit registers.
    const int StateWithAvx = 832;
    const int StateWithAvx512 = 2688;

    /// <summary>Does not return where a faster build takes over.</summary>
    internal static void TakeOver(string[] arguments)
    {
        // A build that uses AVX2 already, by the JIT or compiled ahead, drops all of this.
        if (Avx2.IsSupported || !X86Base.IsSupported || !OperatingSystem.IsLinux() || !ProcessorHasAvx2())
        {
            return;
        }

        foreach (string suffix in ProcessorHasAvx512() ? new[] { WithAvx512, WithAvx2 } : [WithAvx2])
        {
            if (Environment.ProcessPath is { } program && File.Exists(program + suffix))
            {
                Execute(program + suffix, arguments);
            }
        }
    }

    static bool ProcessorHasAvx2() =>
        Has(X86Base.CpuId(1, 0).Ecx, Leaf1)
        && X86Base.CpuId(0, 0).Eax >= 0xD
        && Has(X86Base.CpuId(7, 0).Ebx, Leaf7)
        && Has(X86Base.CpuId(unchecked((int)0x80000001), 0).Ecx, LeafExtended)
        && X86Base.CpuId(0xD, 0).Ebx >= StateWithAvx;

    static bool ProcessorHasAvx512() => Has(X86Base.CpuId(7, 0).Ebx, Leaf7Avx512) && X86Base.CpuId(0xD, 0).Ebx >= StateWithAvx512;

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
