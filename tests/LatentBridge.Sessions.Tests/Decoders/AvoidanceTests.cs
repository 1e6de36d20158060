using LatentBridge.Decoders;

namespace LatentBridge.Sessions.Tests;

public class AvoidanceTests
{
    static readonly DecoderEntry Large = FakeDecoder.Named("taesd", 80, cost: 5_000_000).Entry with { File = "/models/taesd.safetensors" };
    static readonly DecoderEntry Other = FakeDecoder.Named("taesd", 80, cost: 5_000_000).Entry with { File = "/other/taesd.safetensors" };
    static readonly DecoderEntry Plain = FakeDecoder.Named("latent2rgb", 20, cost: 12).Entry;

    [Fact]
    public void The_decoder_of_that_id_and_file_is_left_out_and_no_other()
    {
        var avoidance = new Avoidance([new("taesd", "/models/taesd.safetensors")]);
        Assert.Equal([Other, Plain], avoidance.Kept([Large, Other, Plain]));
        Assert.Equal([Large], avoidance.LeftOut([Large, Other, Plain]));
    }

    [Fact]
    public void The_cheapest_stays_whatever_is_said()
    {
        var avoidance = new Avoidance([new("taesd", "/models/taesd.safetensors"), new("latent2rgb", null)]);
        Assert.Equal([Plain], avoidance.Kept([Large, Plain]));
        Assert.Equal([Large], avoidance.Kept([Large]));
    }

    [Fact]
    public void A_file_does_not_stay_for_being_cheap()
    {
        DecoderEntry cheap = FakeDecoder.Named("onnx:small", 65, cost: 1).Entry with { File = "/models/small.onnx" };
        Assert.Equal([Plain], new Avoidance([new("onnx:small", "/models/small.onnx")]).Kept([cheap, Plain]));
    }
}
