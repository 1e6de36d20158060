using System.Text;
using System.Text.Json;
using LatentBridge.Fitting;
using LatentBridge.Ipc;
using LatentBridge.Previews;
using LatentBridge.Sessions.Control;
using LatentBridge.Testing;

namespace LatentBridge.Sessions.Tests;

public sealed class ControlChannelTests : IDisposable
{
    readonly List<string> _lines = [];
    readonly List<string> _log = [];
    readonly FakeDecoder _decoder = new();
    readonly ControlChannel _channel;
    Greeting? _greeting;

    public ControlChannelTests() => _channel = new ControlChannel(
        line =>
        {
            lock (_lines)
            {
                _lines.Add(Encoding.UTF8.GetString(line.Span));
            }
        },
        (greeting, sink) =>
        {
            _greeting = greeting;
            return new PreviewSession(sink, _ => [_decoder.Entry], () => 1);
        },
        _log.Add,
        "0.1.0");

    public void Dispose() => _channel.Dispose();

    [Fact]
    public void Every_line_of_the_host_has_the_bytes_of_the_vectors()
    {
        IPreviewSink sink = _channel;
        sink.Released(2, 9007199254740991);
        AssertLast("released");
        var picture = new PreviewResult(450123, 512, 512, PreviewEncoding.Png, 8.125, 1.5, 0, true);
        sink.Ready(new ReadyPreview(1, 42, 7, 0, 3, 20, picture, "tiny", 0.25));
        AssertLast("ready");
        Assert.Equal(162, _lines[^1].Length);
        sink.Ready(new ReadyPreview(1, 42, 7, 0, 3, 20, picture, "tiny", 0.25, Note: "taesd would come too late"));
        AssertLast("ready-noted");
        sink.Ready(new ReadyPreview(
            0, 43, 7, 0, 4, 20, new PreviewResult(9000, 64, 64, PreviewEncoding.Png, 0.25, 0.125, 3, true), "latent2rgb", 0.5, Alarm: RunAlarm.Nan));
        AssertLast("ready-warned");
        sink.Ready(new ReadyPreview(1, 44, 7, 0, 3, 20, picture, "tiny", 0.25, Alarm: RunAlarm.Flat));
        AssertLast("ready-alarm");
        sink.Ready(new ReadyPreview(
            0, 43, 7, 0, 4, 20, new PreviewResult(9000, 64, 64, PreviewEncoding.Png, 0.25, 0.125, 3, true), "latent2rgb", 0.5, Warning: "tiny is left out"));
        AssertLast("ready-left-out");
        sink.ClipReady(
            new ReadyPreview(2, 42, 7, 0, 4, 20, new PreviewResult(9000, 512, 296, PreviewEncoding.Jpeg, 310.5, 4.25, 0, true), "taehv", 900), new ClipPlace(3, 21, 4, 4));
        AssertLast("clip");
        sink.Loading("taesd", "/ui/models/taesd_decoder.safetensors");
        AssertLast("loading");
        sink.Loaded("taesd", null);
        AssertLast("loaded");
        sink.Dropped(new DroppedLatent(44, 7, 0, 5, DropReason.Replaced));
        AssertLast("dropped");
        sink.Dropped(new DroppedLatent(45, 7, 0, 6, DropReason.ImageSlotTooSmall, "the picture takes 2000000 bytes, a slot holds 1576832", 2000000));
        AssertLast("dropped-needed");
        var request = new DecodeRequest(3, 46, null, default, PreviewOptions.Default, 4L);
        sink.Decoded(request, new ReadyPreview(1, 46, 7, 0, 6, 20, new PreviewResult(30000, 128, 128, PreviewEncoding.Png, 0.25, 0.5, 0, true), "latent2rgb", 0.125));
        AssertLast("decode");
        sink.DecodeFailed(request, new DroppedLatent(46, 7, 0, 6, DropReason.ImageSlotTooSmall, "the picture takes 2000000 bytes, an image slot holds 1576832", 2000000));
        AssertLast("decode-needed");
        var copy = new EncodeRequest(0, PreviewOptions.Default, 9L);
        sink.Encoded(copy, new ReadyPreview(2, 42, 7, 0, 3, 20, new PreviewResult(30000, 512, 512, PreviewEncoding.Jpeg, 0, 2.5, 0, true), "tiny", 0));
        AssertLast("encode");
        sink.EncodeFailed(copy, new DroppedLatent(0, 0, 0, 0, DropReason.Failed, "stream 0 has no picture yet"));
        AssertLast("encode-none");
        var lesson = new TeachRequest(1, 47, null, "sd_xl_base_1.0.safetensors", 8L);
        sink.Taught(lesson, new CalibratedMap(new FittedMap(ColourMapKind.Linear, []), 24.125, 0.9, 3, new Dictionary<string, double> { ["latent2rgb"] = 19.25, ["tiny"] = 30.5 }), true);
        AssertLast("teach");
        sink.TeachFailed(lesson, "3 values of the picture are NaN or infinite: nothing was learned.");
        AssertLast("teach-failed");
        Send("hello");
        Receive("""{"jsonrpc":"2.0","id":7,"method":"fly"}""");
        AssertLast("error");
        Receive("{");
        AssertLast("error-no-id");
        Send("configure");
        AssertOptionsInForce("configure");
        Assert.Equal(ChannelState.ShutDown, Send("shutdown"));
        AssertLast("shutdown");
    }

    [Fact]
    public void Hello_tells_who_both_are()
    {
        Send("hello");
        using JsonDocument vector = JsonDocument.Parse(Vectors.Message("hello", '<'));
        using JsonDocument answer = JsonDocument.Parse(_lines[^1]);
        Assert.Equal(Members(vector.RootElement.GetProperty("result")), Members(answer.RootElement.GetProperty("result")));
        Assert.Equal(Environment.ProcessId, answer.RootElement.GetProperty("result").GetProperty("process").GetInt32());
        Assert.Equal(("latentbridge-python 0.1.0", 4711), (_greeting!.Client, _greeting.Process));
        Assert.Equal(["/ui/models/vae_approx"], _greeting.Models);

        static IEnumerable<string> Members(JsonElement e) => e.EnumerateObject().Select(m => m.Name);
    }

    [Fact]
    public void Hello_names_decoders_to_leave_out()
    {
        Send("hello-avoid");
        Assert.Equal([new AvoidedDecoder("onnx", "/ui/models/bad.onnx"), new AvoidedDecoder("taesd", null)], _greeting!.Avoid);
    }

    [Theory]
    [InlineData("7")]
    [InlineData("[7]")]
    [InlineData("""[{"file":"a"}]""")]
    [InlineData("""[{"decoder":7}]""")]
    [InlineData("""[{"decoder":"a","file":[1]}]""")]
    public void A_wrong_list_of_decoders_to_leave_out_is_refused(string avoid)
    {
        Receive("""{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":2,"avoid":""" + avoid + "}}");
        Assert.Contains("-32602", _lines[^1], StringComparison.Ordinal);
        Assert.Null(_greeting);
    }

    [Fact]
    public void Versions_that_do_not_meet_are_refused_and_the_side_to_update_is_named()
    {
        Assert.Equal(ChannelState.VersionsDoNotMeet, Send("hello-refused"));
        AssertLast("hello-refused");
        Assert.Equal(ChannelState.VersionsDoNotMeet, Receive("""{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1}}"""));
        Assert.Contains("\"The shim speaks protocol 1, this host protocol 2: update the shim, or install both from one release.\"", _lines[^1], StringComparison.Ordinal);
        Assert.Equal(ChannelState.Open, Receive("""{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":9,"protocolMinimum":2}}"""));
        Assert.Contains("\"protocol\":2,", _lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Every_bad_line_of_the_vectors_is_answered_with_its_error_and_changes_nothing()
    {
        Send("hello");
        foreach ((string name, string line, int code, string id) in Vectors.BadLines())
        {
            int before = _lines.Count;
            Assert.Equal(ChannelState.Open, Receive(line));
            Assert.Equal(before + 1, _lines.Count);
            using JsonDocument answer = JsonDocument.Parse(_lines[^1]);
            Assert.Equal((name, code, id), (name, answer.RootElement.GetProperty("error").GetProperty("code").GetInt32(), answer.RootElement.GetProperty("id").GetRawText()));
        }

        Receive("""{"jsonrpc":"2.0","id":3,"method":"configure","params":{}}""");
        Assert.Contains("\"decoder\":\"auto\",\"size\":0,", _lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_notifications_are_logged_and_nothing_is_said()
    {
        Send("hello");
        int before = _lines.Count;
        Receive("""{"jsonrpc":"2.0","method":"fly"}""");
        Receive("""{"jsonrpc":"2.0","method":"submit","params":{"slot":1}}""");
        Receive("""{"jsonrpc":"2.0","method":"submit","params":{"slot":-1,"sequence":1}}""");
        Receive("""{"jsonrpc":"2.0","method":"release","params":{"slot":4000}}""");
        Receive("""{"jsonrpc":"2.0","method":"begin","params":{"stream":0,"run":1,"format":"NoSuchFormat"}}""");
        Receive("");
        Receive("\r");
        Assert.Equal(before, _lines.Count);
        Assert.Equal(5, _log.Count);
    }

    [Fact]
    public void Nothing_works_before_hello_and_no_decode_before_attach()
    {
        Receive("""{"jsonrpc":"2.0","id":1,"method":"status"}""");
        Assert.Contains("-32002", _lines[^1], StringComparison.Ordinal);
        Send("hello");
        Send("decode");
        Assert.Contains("-32002", _lines[^1], StringComparison.Ordinal);
        Send("encode");
        Assert.Contains("-32002", _lines[^1], StringComparison.Ordinal);
        Send("teach");
        Assert.Contains("-32002", _lines[^1], StringComparison.Ordinal);
        Receive("""{"jsonrpc":"2.0","id":2,"method":"attach","params":{"mapping":{"kind":"fd","fd":99999},"length":8192,"generation":1}}""");
        Assert.Contains("-32003", _lines[^1], StringComparison.Ordinal);
        Receive("""{"jsonrpc":"2.0","id":2,"method":"hello","params":{"protocol":2}}""");
        Assert.Contains("-32600", _lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Members_may_come_in_any_order_and_unknown_ones_are_skipped()
    {
        Send("hello");
        Receive("""{ "params" : { "future" : { "a":[1,{"b":[]}] }, "size" : 64, "quality":3, "more":[[]] }, "extra":{"x":1}, "method":"configure", "id":"a\u00e9", "jsonrpc":"2.0" }""");
        Assert.StartsWith("{\"jsonrpc\":\"2.0\",\"id\":\"aé\",\"result\":{\"decoder\":\"auto\",\"size\":64,", _lines[^1], StringComparison.Ordinal);
        Assert.Contains("\"quality\":3,", _lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Any_bytes_are_answered_or_ignored_but_never_thrown_at()
    {
        Send("hello");
        var random = new Random(3);
        byte[][] seeds = [.. Vectors.Messages().Where(m => m.Direction == '>' && m.Name is not "attach-fd").Select(m => Encoding.UTF8.GetBytes(m.Line))];
        for (int i = 0; i < 20_000; i++)
        {
            byte[] line = [.. seeds[random.Next(seeds.Length)]];
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                int at = random.Next(line.Length);
                switch (random.Next(3))
                {
                    case 0:
                        line[at] = (byte)random.Next(256);
                        break;
                    case 1:
                        line = [.. line[..at], .. line[Math.Min(line.Length, at + random.Next(8))..]];
                        line = line.Length == 0 ? [32] : line;
                        break;
                    default:
                        line[at] = (byte)"{}[]\",:0-9etfn\\"[random.Next(15)];
                        break;
                }
            }

            _channel.Receive(line);
        }

        Receive("""{"jsonrpc":"2.0","id":"alive","method":"status"}""");
        Assert.StartsWith("{\"jsonrpc\":\"2.0\",\"id\":\"alive\",\"result\":{\"protocol\":2,", _lines[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0",/* a comment */"id":1,"method":"status"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":/* a comment */1,"method":"status"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":new Date(1),"method":"status"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"status","params":{"slot":new Date(1)}}""")]
    public void What_only_JavaScript_has_is_not_JSON(string line)
    {
        Receive(line);
        Assert.Contains("-32700", _lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_of_a_mebibyte_is_read_and_its_room_given_back()
    {
        Send("hello");
        string padding = new('x', (1 << 20) - 200);
        Receive($$$"""{"jsonrpc":"2.0","id":1,"method":"status","params":{"pad":"{{{padding}}}"}}""");
        Assert.Contains("\"result\"", _lines[^1], StringComparison.Ordinal);
        Receive(new string('[', 100_000));
        Assert.Contains("-32700", _lines[^1], StringComparison.Ordinal);
        _channel.RefuseLongLine();
        Assert.Contains("-32700", _lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_over_the_channel_begins_shows_and_reports()
    {
        using var memory = new ShimMemory(HeaderPage.Create(2, 4096, 2, 4096, 1, 1));
        Send("hello");
        Receive($$$"""{"jsonrpc":"2.0","id":2,"method":"attach","params":{"mapping":{{{memory.SourceJson}}},"length":{{{4096 + (4 * 8192)}}},"generation":1}}""");
        Assert.Equal(Vectors.Message("attach", '<') + "\n", _lines[^1]);
        Receive("""{"jsonrpc":"2.0","method":"begin","params":{"stream":3,"run":7,"format":"SDXL","encoding":"rgb24"}}""");
        var header = new LatentSlotHeader { Magic = LatentSlotHeader.ExpectedMagic, Generation = 1, Sequence = 5, Run = 7, Stream = 3, AxisCount = 4, PayloadLength = 64 };
        (header.Axes[0], header.Axes[1], header.Axes[2], header.Axes[3]) = (1, 4, 2, 2);
        memory.Write(header, 4096);
        Receive("""{"jsonrpc":"2.0","method":"submit","params":{"slot":0,"sequence":5}}""");
        SpinWait.SpinUntil(() => Count("\"ready\"") == 1, TimeSpan.FromSeconds(30));
        Assert.Contains(_lines, l => l.Contains("\"released\",\"params\":{\"slot\":0,\"sequence\":5}", StringComparison.Ordinal));
        Assert.Contains(_lines, l => l.Contains("\"ready\",\"params\":{\"slot\":0,\"sequence\":5,\"decoder\":\"fake\",", StringComparison.Ordinal));
        ImageSlotHeader picture = System.Runtime.InteropServices.MemoryMarshal.Read<ImageSlotHeader>(memory.Read(4096 + (2 * 8192), 128));
        Assert.Null(picture.Validate(1, 4096));
        Assert.Equal((5UL, 7UL, 3U, 0, 0), (picture.Sequence, picture.Run, picture.Stream, picture.Step, picture.TotalSteps));
        Assert.Equal(((uint)PreviewEncoding.Rgb24, 2U, 2U, 12UL), (picture.Encoding, picture.Width, picture.Height, picture.PayloadLength));
        Receive("""{"jsonrpc":"2.0","id":9,"method":"status"}""");
        using JsonDocument status = JsonDocument.Parse(_lines[^1]);
        JsonElement stream = status.RootElement.GetProperty("result").GetProperty("streams")[0];
        Assert.Equal("""["stream","run","format","formatGuessed","decoder","source","reason","stepMilliseconds","decodeMilliseconds","submitted","shown","replaced","failed","warnings","alarm"]""",
            JsonSerializer.Serialize(stream.EnumerateObject().Select(m => m.Name)));
        Assert.Equal(1, stream.GetProperty("shown").GetInt32());
    }

    [Fact]
    public void The_control_messages_of_a_frame_allocate_at_most_two_kilobytes()
    {
        const int Frames = 200;
        using var channel = new ControlChannel(_ => { }, (_, sink) => new PreviewSession(sink, _ => [_decoder.Entry], () => 1), _ => { }, "0.1.0");
        channel.Receive("""{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":2}}"""u8);
        IPreviewSink output = channel;
        Frame(20);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Frame(Frames);
        long perFrame = (GC.GetAllocatedBytesForCurrentThread() - before) / Frames;
        Assert.InRange(perFrame, 0, 2048);
        TestContext.Current.TestOutputHelper?.WriteLine($"{perFrame} bytes a frame");

        void Frame(int count)
        {
            for (int i = 0; i < count; i++)
            {
                // No mapping is attached: the submit is answered with "dropped", which is written here too.
                channel.Receive("""{"jsonrpc":"2.0","method":"submit","params":{"slot":2,"sequence":90071992547}}"""u8);
                output.Released(2, 90071992547);
                output.Ready(new ReadyPreview(1, 90071992547, 7, 0, 3, 20, new PreviewResult(450123, 512, 512, PreviewEncoding.Png, 8.125, 1.537, 0, true), "tiny", 0.251));
                channel.Receive("""{"jsonrpc":"2.0","method":"release","params":{"slot":1}}"""u8);
            }
        }
    }

    int Count(string text)
    {
        lock (_lines)
        {
            return _lines.Count(l => l.Contains(text, StringComparison.Ordinal));
        }
    }

    ChannelState Send(string vector) => Receive(Vectors.Message(vector, '>'));

    ChannelState Receive(string line) => _channel.Receive(Encoding.UTF8.GetBytes(line));

    /// <summary>The last answer holds every option of the table, in its order, and the values of the vector.</summary>
    void AssertOptionsInForce(string vector)
    {
        using JsonDocument expected = JsonDocument.Parse(Vectors.Message(vector, '<'));
        using JsonDocument answer = JsonDocument.Parse(_lines[^1]);
        JsonElement options = answer.RootElement.GetProperty("result");
        Assert.Equal(PreviewOptions.All.Where(option => !option.IsPartOfLatent).Select(option => option.Name), options.EnumerateObject().Select(member => member.Name));
        Assert.All(expected.RootElement.GetProperty("result").EnumerateObject(), member => Assert.Equal(member.Value.GetRawText(), options.GetProperty(member.Name).GetRawText()));
    }

    void AssertLast(string vector) => Assert.Equal(Vectors.Message(vector, '<') + "\n", _lines[^1]);
}
