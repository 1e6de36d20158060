using LatentBridge.Simd;

namespace LatentBridge.Tests.Simd;

public sealed class KernelTests
{
    /// <summary>The widths this machine supports, for sweeps.</summary>
    public static TheoryData<KernelWidth> Widths => [.. Kernel.Supported];

    [Theory]
    [InlineData("scalar", KernelWidth.Scalar)]
    [InlineData("vector128", KernelWidth.Vector128)]
    [InlineData("Vector256", KernelWidth.Vector256)]
    [InlineData(" VECTOR512 ", KernelWidth.Vector512)]
    public void A_forced_width_is_taken_when_supported(string forced, KernelWidth expected) =>
        Assert.Equal(expected, Kernel.Choose(forced, Enum.GetValues<KernelWidth>()));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("avx2")]
    [InlineData("vector512")]
    public void An_unknown_or_unsupported_width_gives_the_widest(string? forced) =>
        Assert.Equal(KernelWidth.Vector256, Kernel.Choose(forced, [KernelWidth.Scalar, KernelWidth.Vector128, KernelWidth.Vector256]));

    [Fact]
    public void Scalar_is_always_supported_and_the_width_in_use_is_one_of_the_supported()
    {
        Assert.Equal(KernelWidth.Scalar, Kernel.Supported[0]);
        Assert.Contains(Kernel.Width, Kernel.Supported);
        Assert.Equal(Kernel.Width.ToString(), Kernel.Name, ignoreCase: true);
    }
}
