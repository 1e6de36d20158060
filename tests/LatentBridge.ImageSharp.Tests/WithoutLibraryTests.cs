namespace LatentBridge.ImageSharp.Tests;

/// <summary>Stands for the tests of the adapter where it was not built.</summary>
public sealed class WithoutLibraryTests
{
    [Fact(Skip = "Built without SixLabors.ImageSharp: the property LatentBridgeImageSharp is not true (the scripts set it where the package can be restored).")]
    public void The_adapter_is_tested()
    {
    }
}
