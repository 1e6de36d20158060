using LatentBridge.Formats;
using LatentBridge.Scanning.Checks;

namespace LatentBridge.Scanning.Tests.Checks;

public sealed class BucketCheckTests
{
    [Theory]
    [InlineData("a.npz", "latents_64x96", true)]
    [InlineData("a.npz", "latents_96x64", false)]
    [InlineData("a.npz", "latents_flipped_64x96", true)]
    [InlineData("a.npz", "latents_1x64x96_bfloat16", true)]
    [InlineData("768x512/a.npz", "latents", true)]
    [InlineData("512x768/a.npz", "latents", false)]
    [InlineData("photo_0768x0512_sdxl.npz", "latents", true)]
    [InlineData("photo_1600x1000_sdxl.npz", "latents", true)]
    [InlineData("photo_0512x0768_sdxl.npz", "latents", false)]
    [InlineData("holiday_2019x07.npz", "latents", true)]
    public void A_size_in_a_name_is_that_of_the_latent(string path, string key, bool fits) =>
        Assert.Equal(fits, BucketCheck.Check(path, key, new(1, 4, 1, 64, 96), LatentFormats.Get("SDXL")) is null);
}
